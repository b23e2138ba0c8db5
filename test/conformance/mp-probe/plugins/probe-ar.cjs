const { runScript } = require('../run-script.cjs');

class Probe {
  constructor(config) {
    this.config = config;
  }

  access(kong) {
    return runScript(kong, this.config, 'access');
  }

  response(kong) {
    return runScript(kong, this.config, 'response');
  }
}

module.exports = { Plugin: Probe, Name: 'probe-ar', Version: '1.0.0', Priority: 1, Schema: [] };
