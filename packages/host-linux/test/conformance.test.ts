/**
 * The contracts of the ports, kept by the Linux adapters: the packet filter in the real kernel inside
 * a network namespace of its own, files and accounts below a scratch root, everything else for real.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes, X509Certificate } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, isIPv6 } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

import {
  describeAccounts,
  describeCertificates,
  describeCommands,
  describeFiles,
  describePacketFilter,
  describeSockets,
  describeTimeSources,
  type Scope,
} from '@holdfast/host/conformance';
import {
  DescriptorFiles,
  inNetworkNamespace,
  NftablesPacketFilter,
  ProcSockets,
  ShadowAccounts,
  SntpTimeSources,
  SpawnCommandRunner,
  systemClock,
  X509Certificates,
} from '@holdfast/host-linux';
import { needs, temporaryDirectory } from '@holdfast/testing';

const IP = '/usr/sbin/ip';

/** The one way to give `temporaryDirectory` a scope of the suites. */
const scratch = (t: Scope): string => temporaryDirectory(t);

function networkNamespace(t: Scope): string {
  const name = `hf-host-${randomBytes(4).toString('hex')}`;
  execFileSync(IP, ['netns', 'add', name]);
  t.after(() => {
    execFileSync(IP, ['netns', 'delete', name]);
  });
  return name;
}

describePacketFilter(
  'nftables in a network namespace',
  async (t) => new NftablesPacketFilter(inNetworkNamespace(new SpawnCommandRunner(), networkNamespace(t))),
  needs('root', 'nftables', 'network-namespaces'),
);

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

describeFiles('on disk', async (t) => {
  const directory = scratch(t);
  return {
    files: new DescriptorFiles(),
    directory,
    owner,
    symlink: (target, path) => symlinkSync(target, path),
    names: () => readdirSync(directory).toSorted(),
  };
});

describeFiles('below a root', async (t) => {
  const root = scratch(t);
  mkdirSync(`${root}/usr/data/sub`, { recursive: true });
  // A symlink in the middle of a path is followed, and `/` in it means the root.
  symlinkSync('/usr/data', `${root}/data`);
  return {
    files: new DescriptorFiles(root),
    directory: '/data/sub',
    owner,
    symlink: (target, path) => symlinkSync(target, `${root}/usr${path}`),
    names: () => readdirSync(`${root}/usr/data/sub`).toSorted(),
  };
});

describeAccounts('password files below a root', async (t) => {
  const root = scratch(t);
  const secret = '$y$j9T$saltsalt$hashhashhash';
  mkdirSync(`${root}/etc`);
  writeFileSync(`${root}/etc/passwd`, 'root:x:0:0:root:/root:/bin/bash\nada:x:1000:1000:Ada:/home/ada:/bin/sh\n');
  writeFileSync(`${root}/etc/shadow`, `root:*:19000:0:99999:7:::\nada:${secret}:19000:0:99999:7:::\n`, { mode: 0o640 });
  return {
    accounts: new ShadowAccounts(systemClock(), root),
    account: 'ada',
    secret,
    stored: () => readFileSync(`${root}/etc/shadow`, 'latin1'),
  };
});

async function listenUdp(address: string): Promise<Socket> {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', ipv6Only: isIPv6(address) });
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
}

describeSockets('tables of the kernel', async () => ({
  sockets: new ProcSockets(),
  async listen({ protocol, address }) {
    if (protocol === 'udp') {
      const socket = await listenUdp(address);
      return {
        port: socket.address().port,
        async close() {
          socket.close();
          await once(socket, 'close');
        },
      };
    }
    const server = createServer();
    server.listen(0, address);
    await once(server, 'listening');
    return {
      port: (server.address() as AddressInfo).port,
      async close() {
        server.close();
        await once(server, 'close');
      },
    };
  },
}));

const OFFSET_MS = 7_000;

/** A time server of RFC 4330 §6 that is `OFFSET_MS` ahead. */
async function timeServer(t: Scope): Promise<string> {
  const socket = await listenUdp('127.0.0.1');
  t.after(() => {
    socket.close();
  });
  socket.on('message', (request, peer) => {
    const answer = Buffer.alloc(48);
    answer[0] = 0x24;
    answer[1] = 1;
    request.copy(answer, 24, 40, 48);
    const seconds = (Date.now() + OFFSET_MS) / 1_000 + 2_208_988_800;
    for (const at of [32, 40]) {
      answer.writeUInt32BE(Math.floor(seconds), at);
      answer.writeUInt32BE(Math.floor((seconds % 1) * 2 ** 32), at + 4);
    }
    // What is not an answer to this request must not end the wait for the one that is.
    socket.send(Buffer.alloc(48), peer.port, peer.address);
    socket.send('noise', peer.port, peer.address);
    socket.send(answer, peer.port, peer.address);
  });
  return `127.0.0.1:${socket.address().port}`;
}

describeTimeSources('SNTP', async (t) => {
  const mute = await listenUdp('127.0.0.1');
  t.after(() => {
    mute.close();
  });
  return {
    timeSources: new SntpTimeSources(systemClock(), { timeoutMs: 1_000 }),
    answering: [await timeServer(t), await timeServer(t)],
    offsetMs: OFFSET_MS,
    silent: `127.0.0.1:${mute.address().port}`,
  };
});

describeCertificates(
  'PEM and TLS',
  async (t) => {
    const directory = scratch(t);
    const [key, file] = [`${directory}/key.pem`, `${directory}/cert.pem`];
    const subject = '/O=Holdfast/CN=suite.test';
    const make = [
      'req',
      '-x509',
      '-newkey',
      'ed25519',
      '-nodes',
      '-days',
      '40',
      '-subj',
      subject,
      '-keyout',
      key,
      '-out',
      file,
    ];
    execFileSync('/usr/bin/openssl', make, { stdio: 'ignore' });
    const certificate = new X509Certificate(readFileSync(file));
    const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(file) });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    t.after(() => {
      server.close();
    });
    const gone = createServer().listen(0, '127.0.0.1');
    await once(gone, 'listening');
    const closedPort = (gone.address() as AddressInfo).port;
    gone.close();
    await once(gone, 'close');
    return {
      certificates: new X509Certificates(new DescriptorFiles()),
      expected: {
        subject: 'O=Holdfast, CN=suite.test',
        notBeforeMs: Date.parse(certificate.validFrom),
        notAfterMs: Date.parse(certificate.validTo),
        sha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      },
      file,
      otherFile: key,
      server: { address: '127.0.0.1', port },
      closed: { address: '127.0.0.1', port: closedPort },
    };
  },
  needs('openssl'),
);

describeCommands('child processes', async () => ({
  commands: new SpawnCommandRunner(),
  isRunning(pid) {
    try {
      return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
    } catch {
      return false; // no such process
    }
  },
}));
