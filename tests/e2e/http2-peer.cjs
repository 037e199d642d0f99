// A push service that behaves as its path says, and writes down what it got: http2-peer.cjs PEM KEY h2|h1 [CA]
//
//   /ok           200               /status/N       N, with a body of FCM's kind; ?after=S: Retry-After
//   /slow/MS      200, that late    /refuse/N       the first N streams: REFUSED_STREAM
//   /reset        RST_STREAM INTERNAL_ERROR         /cut/N      the connection is cut at its N-th request
//   /goaway/N     GOAWAY at each connection's N-th request, which is its last; later ones are not processed
//   /silent       no answer         /apns/REASON/N  status N, APNs' kind of body
//   /redirect     302               /long           200, a body of 1 MiB
//   /token/WORD   401 but with the bearer WORD      /echo       400, a message that repeats token and path
const http2 = require('node:http2');
const https = require('node:https');
const fs = require('node:fs');

const [pem, key, kind, ca] = process.argv.slice(2); // kind: h2, or h1 for a peer that speaks no HTTP/2
const options = { cert: fs.readFileSync(pem), key: fs.readFileSync(key) };
if (ca) Object.assign(options, { ca: fs.readFileSync(ca), requestCert: true, rejectUnauthorized: true });
const server = kind === 'h1' ? https.createServer(options) : http2.createSecureServer(options);
const counts = new Map(); // of all requests, by path
const sockets = new Map(); // by the client's port: a session does not let its socket be cut
let sessions = 0;

process.on('uncaughtException', (error) => { if (!/ERR_HTTP2|ECONN|EPIPE/.test(error.code)) throw error; });
const say = (line) => fs.writeSync(1, `${line}\n`);
const fcm = (code, word, message) =>
  JSON.stringify({ error: { code, message, status: 'X', details: [{ '@type': 'FcmError', errorCode: word }] } });
const WORDS = { 404: 'UNREGISTERED', 403: 'SENDER_ID_MISMATCH', 400: 'INVALID_ARGUMENT', 429: 'QUOTA_EXCEEDED',
  500: 'INTERNAL', 503: 'UNAVAILABLE' };

server.on('secureConnection', (socket) => {
  sockets.set(socket.remotePort, socket);
  socket.on('close', () => sockets.delete(socket.remotePort));
  socket.on('error', () => {});
});

server.on('session', (session) => {
  session.number = ++sessions;
  session.requests = 0;
  session.on('error', () => {});
});

const answer = (stream, status, body, headers = {}) => {
  if (stream.destroyed) return;
  stream.respond({ ':status': status, ...headers });
  stream.end(body);
};

const acts = {
  ok: (stream) => answer(stream, 200, '{}'),
  status: (stream, [code], query) => {
    const after = query.get('after');
    answer(stream, Number(code), fcm(Number(code), query.get('word') ?? WORDS[code], 'what is wrong'),
      after ? { 'retry-after': after } : {});
  },
  plain: (stream, [code]) => answer(stream, Number(code), 'no JSON\n'),
  slow: (stream, [ms]) => setTimeout(() => answer(stream, 200, '{}'), Number(ms)),
  refuse: (stream, [count], query, seen) =>
    (seen <= Number(count) ? stream.close(http2.constants.NGHTTP2_REFUSED_STREAM) : answer(stream, 200, '{}')),
  reset: (stream) => stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR),
  cut: (stream, [count], query, seen, headers, at) => {
    if (!stream.session || stream.destroyed) return;
    if (at === Number(count)) sockets.get(stream.session.socket.remotePort).destroy();
    else if (at < Number(count)) answer(stream, 200, '{}');
  },
  goaway: (stream, [count], query, seen, headers, at) => {
    const { session } = stream;
    if (!session || stream.destroyed) return;
    if (at < Number(count)) answer(stream, 200, '{}');
    else if (at === Number(count)) {
      session.goaway(0, stream.id);
      answer(stream, 200, '{}');
    } // later ones: not processed, not answered
  },
  silent: () => {},
  apns: (stream, [reason, code]) => answer(stream, Number(code), JSON.stringify({ reason })),
  redirect: (stream) => answer(stream, 302, '', { location: '/ok' }),
  long: (stream) => answer(stream, 200, 'x'.repeat(1 << 20)),
  token: (stream, [word], query, seen, headers) =>
    (headers.authorization === `Bearer ${word}` ? answer(stream, 200, '{}') : answer(stream, 401, '{}')),
  echo: (stream, rest, query, seen, headers) =>
    answer(stream, 400, fcm(400, 'BAD', `bad: ${headers.authorization} ${headers[':path']}`)),
};

server.on('stream', (stream, headers) => {
  const [path, search] = headers[':path'].split('?');
  const [, act, ...rest] = decodeURIComponent(path).split('/'); // an address may say what to do
  let body = '';
  stream.session.requests += 1;
  const at = stream.session.requests; // many may have come before the first of them is answered
  stream.on('error', () => {});
  stream.on('data', (bytes) => { body += bytes; });
  stream.on('end', () => {
    const seen = (counts.get(act) ?? 0) + 1;
    counts.set(act, seen);
    const isLate = act === 'goaway' && at > Number(rest[0]);
    if (!isLate) {
      say(`got ${JSON.stringify({ path: headers[':path'], key: headers['idempotency-key'], type: headers['content-type'],
        auth: headers.authorization, topic: headers['apns-topic'], body, session: stream.session?.number, version: 2 })}`);
    }
    acts[act](stream, rest, new URLSearchParams(search), seen, headers, at);
  });
});

// HTTP/1.1, for a peer that speaks no other: /h1 answers, /h1cut is cut at the second request of a connection.
server.on('request', (request, response) => {
  if (kind !== 'h1') return;
  request.socket.count = (request.socket.count ?? 0) + 1;
  request.resume();
  request.on('end', () => {
    say(`got ${JSON.stringify({ path: request.url, key: request.headers['idempotency-key'], version: 1 })}`);
    if (request.url.startsWith('/h1cut') && request.socket.count === 2) request.socket.destroy();
    else response.end('{}');
  });
});

server.listen(0, '127.0.0.1', () => say(`port ${server.address().port}`));
