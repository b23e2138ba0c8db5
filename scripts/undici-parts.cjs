// What the executables take of undici: the sideband client's pool. Its index would bring fetch, WebSocket, mocks and caches
// along, a megabyte that Node has to parse at every start. Relative paths, because the build replaces the name `undici`.
module.exports = {
  Client: require('../node_modules/undici/lib/dispatcher/client.js'),
  Pool: require('../node_modules/undici/lib/dispatcher/pool.js'),
  buildConnector: require('../node_modules/undici/lib/core/connect.js'),
};
