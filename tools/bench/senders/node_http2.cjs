// node_http2.cjs PORT CA COUNT CONNECTIONS STREAMS CONTENT - COUNT requests with a body each, STREAMS at once on a connection
const fs = require('fs');
const http2 = require('http2');
const [port, ca, countText, connections, streamsText, contentText] = process.argv.slice(2);
const count = Number(countText);
const streams = Number(streamsText);
const content = JSON.parse(contentText);
let next = 0;
let sent = 0;
let answered = 0;

function connect() {
    return new Promise((resolve, reject) => {
        const session = http2.connect(`https://localhost:${port}`, { ca: fs.readFileSync(ca) });
        session.once('connect', () => resolve(session));
        session.on('error', reject);
    });
}

function body(n) {
    const row = { first_name: 'Ann' + n % 977, city: 'Lille', points: n * 7 % 10000 };
    const fill = (text) => text.replace(/\{\{(\w+)\}\}/g, (all, name) => row[name]);
    return JSON.stringify({
        reference: `spring-${n}`, campaign: 'bench', delivery: 'spring', key: 'R' + String(n).padStart(8, '0'),
        address: 'token-' + String(n).padStart(8, '0'), title: fill(content.title), body: fill(content.body),
        image: content.image, video: '', data: { points: fill(content.data.points) },
    });
}

async function main() {
    const sessions = await Promise.all(Array.from({ length: Number(connections) }, connect));
    const began = process.hrtime.bigint();
    await new Promise((resolve) => {
        const send = (session) => {
            if (next >= count) return;
            const n = ++next;
            const request = session.request({
                ':method': 'POST', ':path': '/push', 'content-type': 'application/json', 'idempotency-key': `spring.1.${n}`,
            });
            let isGood = false;
            request.on('response', (headers) => { isGood = headers[':status'] === 200; });
            request.on('end', () => {
                if (isGood) sent += 1;
                if (++answered === count) resolve();
                else send(session);
            });
            request.resume();
            request.end(body(n));
        };
        for (const session of sessions) {
            for (let i = 0; i < streams; i += 1) send(session);
        }
    });
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    sessions.forEach((session) => session.destroy());
    console.log(JSON.stringify({ sent, seconds }));
}
main().catch((error) => { console.error(error); process.exit(1); });
