// HTTP with a kept connection, and WebSocket.
'use strict';
const { createHash } = require('crypto');
const fs = require('fs');
const http = require('http');
const { WebSocket, WebSocketServer } = require('ws');

const LARGE = 1000000;

function web(port, file) {
  http.createServer((request, response) => {
    if (request.url === '/file') {
      fs.createReadStream(file).pipe(response);
      return;
    }
    const sum = createHash('md5');
    let count = 0;
    request.on('data', (piece) => {
      count += piece.length;
      sum.update(piece);
    });
    request.on('end', () => response.end(`${count} ${sum.digest('hex')}\n`));
  }).listen(port, '0.0.0.0');
}

function request(agent, host, port, path, body) {
  return new Promise((done, failed) => {
    const asked = http.request({ agent, host, port, path, method: body ? 'POST' : 'GET' }, (response) => {
      const sum = createHash('md5');
      let count = 0;
      response.on('data', (piece) => {
        count += piece.length;
        sum.update(piece);
      });
      response.on('error', failed);
      response.on('end', () => done(`${response.statusCode} ${count} ${sum.digest('hex')}`));
    });
    asked.on('error', failed);
    asked.end(body);
  });
}

async function fetch(host, port) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  try {
    console.log(await request(agent, host, port, '/file'));
    console.log(await request(agent, host, port, '/sum', Buffer.alloc(4000000, 7)));
    const seen = new Set();
    for (let i = 1; i <= 200; i++) seen.add(await request(agent, host, port, '/sum', Buffer.alloc(i * 50, i)));
    console.log(seen.size, 'small ones', createHash('md5').update([...seen].join()).digest('hex'));
  } catch (error) {
    console.log('fails:', error.code);
  }
  agent.destroy();
}

function socket(port) {
  new WebSocketServer({ port, host: '0.0.0.0', maxPayload: 4 * LARGE }).on('connection', (connection) => {
    connection.on('message', (data, binary) => connection.send(data, { binary }));
  });
}

// 100 messages, each after the answer to the one before, a large one, a ping, and an orderly end.
function chat(host, port) {
  const connection = new WebSocket(`ws://${host}:${port}/chat`, { perMessageDeflate: false });
  let said = 0;
  let right = 0;
  const large = Buffer.alloc(LARGE, 5);
  connection.on('error', (error) => console.log('fails:', error.code || error.message));
  connection.on('open', () => connection.send('message 0'));
  connection.on('message', (data) => {
    if (said === 100) {
      right += data.equals(large);
      connection.ping('still there');
      return;
    }
    right += data.toString() === `message ${said}`;
    said++;
    connection.send(said === 100 ? large : `message ${said}`);
  });
  connection.on('pong', (data) => {
    console.log(right, 'answers, pong', data.toString());
    connection.close(1000, 'enough');
  });
  connection.on('close', (code, reason) => console.log('closed', code, reason.toString()));
}

module.exports = { web, fetch, socket, chat };
