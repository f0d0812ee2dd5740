/** A shop's checkout in one file: a feature behind a switch, a kill switch, health and metrics. */
import { createServer } from 'node:http';

const newPrices = process.env.CHECKOUT_NEW_PRICES === '1';
const killed = process.env.CHECKOUT_KILL === '1';
const requests = new Map([
  ['served', 0],
  ['refused', 0],
]);

const count = (result) => requests.set(result, requests.get(result) + 1);

export function metrics() {
  const samples = [...requests].map(([result, value]) => `checkout_requests_total{result="${result}"} ${value}\n`);
  return `# TYPE checkout_requests_total counter\n${samples.join('')}`;
}

const routes = {
  '/health': () => [200, 'ok\n'],
  '/metrics': () => [200, metrics()],
  '/checkout': () => {
    if (killed) {
      count('refused');
      return [503, 'checkout is closed\n'];
    }
    count('served');
    return [200, newPrices ? 'new prices\n' : 'old prices\n'];
  },
};

const server = createServer((request, response) => {
  const [status, body] = routes[request.url]?.() ?? [404, 'not found\n'];
  response.writeHead(status, { 'content-type': 'text/plain' }).end(body);
});
server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1');
process.once('SIGTERM', () => server.close(() => process.exit(0)));
