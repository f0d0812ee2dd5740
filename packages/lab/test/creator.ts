/** A process that builds a lab and then waits to be killed: `creator.ts ID DIRECTORY REPOSITORY_ROOT`. */
import { createLab } from '../src/index.ts';

const [id = '', directory = '', repositoryRoot = ''] = process.argv.slice(2);
await createLab({ id, directory, hosts: 2, repositoryRoot }).up(AbortSignal.timeout(60_000));
process.stdout.write('up\n');
setInterval(() => undefined, 60_000);
