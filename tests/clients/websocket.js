// The library ws against a server that echoes: websocket.js PORT. Prints `ok`, or fails.
'use strict';
const assert = require('assert');
const WebSocket = require('ws');

const url = `ws://127.0.0.1:${process.argv[2]}/node`;

function open() {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { perMessageDeflate: true });
    ws.on('open', () => resolve(ws));
    ws.on('error', reject);
  });
}

const once = (ws, event) => new Promise((resolve) => ws.once(event, (...all) => resolve(all)));

async function echo() {
  const ws = await open();
  for (const length of [0, 1, 125, 126, 127, 65535, 65536, 200000]) {
    for (const message of ['x'.repeat(length), Buffer.alloc(length, 7)]) {
      const answer = once(ws, 'message');
      ws.send(message);
      const [data, isBinary] = await answer;
      assert.strictEqual(isBinary, typeof message !== 'string');
      assert(data.equals(Buffer.from(message)), `${length}`);
    }
  }
  const pong = once(ws, 'pong');
  const answer = once(ws, 'message');
  ws.send('in ', { fin: false });
  ws.ping('payload');
  ws.send('parts', { fin: true });
  assert.strictEqual((await pong)[0].toString(), 'payload');
  assert.strictEqual((await answer)[0].toString(), 'in parts');
  const closed = once(ws, 'close');
  ws.close(4001, 'client first');
  const [code, reason] = await closed;
  assert.deepStrictEqual([code, reason.toString()], [4001, 'client first']);
}

async function serverFirst() {
  const ws = await open();
  const closed = once(ws, 'close');
  ws.send('close');
  const [code, reason] = await closed;
  assert.deepStrictEqual([code, reason.toString()], [4002, 'server first']);
}

async function broken(bytes, expected) {
  const ws = await open();
  const closed = once(ws, 'close');
  ws._socket.write(bytes);
  const [code] = await closed;
  assert.strictEqual(code, expected);
}

setTimeout(() => { console.error('not done in time'); process.exit(1); }, 25000).unref();
(async () => {
  await echo();
  await serverFirst();
  await broken(Buffer.from([0x81, 0x01, 0x61]), 1002);
  await broken(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]), 1007);
  await Promise.all(Array.from({ length: 20 }, echo));
  console.log('ok');
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
