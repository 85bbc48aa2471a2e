// Answers every request with what it has read of it: peer.js PORT
'use strict';
const http = require('node:http');

const server = http.createServer((request, response) => {
  let length = 0;
  request.on('data', (piece) => { length += piece.length; });
  request.on('end', () => {
    response.setHeader('X-Seen', `${request.method} ${request.url}`);
    response.setHeader('X-Length', length);
    response.end('ok\n');
  });
});
server.keepAliveTimeout = 600000;
server.on('connect', (request, socket) => {
  socket.end(`HTTP/1.1 405 No\r\nX-Seen: CONNECT ${request.url}\r\nContent-Length: 0\r\n\r\n`);
});
server.listen(Number(process.argv[2]), '127.0.0.1');
