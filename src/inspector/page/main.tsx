import 'uplot/dist/uPlot.min.css';
import './styles/colours.css';
import './styles/frame.css';
import './styles/overview.css';
import './styles/list.css';
import './styles/exchange.css';
import './styles/difference.css';
import './styles/narrow.css';
import { render } from 'preact';
import { App } from './app.js';
import { connect } from './state.js';

connect();
const place = document.getElementById('app');
if (place !== null) render(<App />, place);
