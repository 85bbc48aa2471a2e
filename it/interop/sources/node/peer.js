// The ends in Node: node peer.js serve PORT; calls HOST PORT NAME runs every case; chats PORT: an echo server of WebSocket
// for Autobahn's cases; answers PORT: a server of HTTP/2 for those of h2spec.
'use strict';
const http2 = require('http2');
const { WebSocketServer } = require('ws');

const LARGEST = 64 << 20;

function chats(port) {
  const deflate = { threshold: 0 }; // short messages as well
  new WebSocketServer({ port, host: '0.0.0.0', perMessageDeflate: deflate, maxPayload: LARGEST }).on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
    socket.on('error', () => {}); // it closes with the code that the error has
  });
}

function answers(port) {
  const server = http2.createServer();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.resume();
    stream.on('end', () => {
      if (!stream.destroyed) {
        stream.respond({ ':status': 200, 'content-type': 'text/plain' });
        stream.end('an answer of some words, as windows are opened by the byte\n');
      }
    });
  });
  server.listen(port, '0.0.0.0');
}

const [role, ...words] = process.argv.slice(2);
const roles = {
  chats: () => chats(Number(words[0])),
  answers: () => answers(Number(words[0])),
  serve: () => require('./serve').serve(Number(words[0])),
  calls: () => require('./calls').calls(words[0], Number(words[1]), words[2]),
};
roles[role]();
