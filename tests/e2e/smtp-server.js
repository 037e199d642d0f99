// A relay by the npm package smtp-server: login wanted, one user, some recipients refused. Prints its two ports.
const { SMTPServer } = require(process.argv[2]);
const fs = require('fs');
const [, , , pem, key] = process.argv;
const make = (secure) => new SMTPServer({
    secure, key: fs.readFileSync(key), cert: fs.readFileSync(pem), size: 100000, authMethods: ['PLAIN', 'LOGIN'],
    disableReverseLookup: true, logger: false,
    onAuth(auth, session, done) {
        const good = auth.username === 'tim' && auth.password === 'tanstaaftanstaaf';
        return good ? done(null, { user: 'tim' }) : done(new Error('Invalid username or password'));
    },
    onRcptTo(address, session, done) {
        if (address.address.startsWith('unknown')) {
            return done(Object.assign(new Error('5.1.1 no such user'), { responseCode: 550 }));
        }
        return done();
    },
    onData(stream, session, done) {
        let bytes = 0;
        stream.on('data', (chunk) => { bytes += chunk.length; });
        stream.on('end', () => {
            const to = session.envelope.rcptTo[0].address;
            console.log(`got ${JSON.stringify({ to, bytes, args: session.envelope.mailFrom.args, secure: session.secure })}`);
            done(null, `kept ${bytes}`);
        });
    },
});
const servers = [make(true), make(false)];
for (const server of servers) {
    server.on('error', () => {});
    server.listen(0, '127.0.0.1', () => {
        if (servers.every((one) => one.server.listening)) {
            console.log(`ports ${servers.map((one) => one.server.address().port).join(' ')}`);
        }
    });
}
