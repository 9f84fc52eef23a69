// Builds what is exported as `chat-session-proxy/client` into dist/: plain JavaScript with its types, and a package of its
// own around it (`npm pack ./dist`). Runs as `prepare` in a clone. Where TypeScript is not installed (`npm ci --omit=dev`) there is nothing to do.
// Plain JavaScript on Node's own modules, because it may run before anything else works.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'dist');
const compiler = join(root, 'node_modules/typescript/bin/tsc');

if (isCompilerThere()) build();
else process.stdout.write('The client is not built: TypeScript is not installed here.\n');

/** The compiler itself is a binary for one platform, in a package that can be left out. */
function isCompilerThere() {
  return existsSync(compiler) && compile('--version').status === 0;
}

function compile(...args) {
  return spawnSync(process.execPath, [compiler, ...args], { cwd: root, encoding: 'utf8' });
}

function build() {
  rmSync(out, { recursive: true, force: true });
  const { status, stdout, stderr } = compile('-p', 'tsconfig.client.json');
  if (status !== 0) {
    process.stderr.write(`The client does not compile:\n${stdout}${stderr}`);
    process.exitCode = 1;
    return;
  }
  // The client takes nothing but types from the domain: its code is the service's alone.
  for (const path of filesIn('chat')) if (path.endsWith('.js')) rmSync(path);
  // tsc rewrites `./x.ts` to `./x.js` in code, but not in types (microsoft/TypeScript#61037).
  for (const path of [...filesIn('chat'), ...filesIn('client')]) if (path.endsWith('.d.ts')) rewriteImports(path);
  writePackage();
}

/** A package of its own, under the same name: whoever calls the service needs neither it nor the Node that it needs. */
function writePackage() {
  const {
    name,
    version,
    description,
    license,
    type,
    exports: paths,
    dependencies,
  } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const client = Object.entries(paths['./client']).map(([kind, path]) => [kind, path.replace('./dist/', './')]);
  const manifest = {
    ...{ name, version, description: `${description}: the client`, license, type },
    engines: { node: '>=20' },
    exports: { './client': Object.fromEntries(client), './package.json': './package.json' },
    dependencies: { 'eventsource-parser': dependencies['eventsource-parser'] },
  };
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  copyFileSync(join(root, 'src/client/README.md'), join(out, 'README.md'));
  copyFileSync(join(root, 'LICENSE'), join(out, 'LICENSE'));
}

function filesIn(folder) {
  return readdirSync(join(out, folder)).map((name) => join(out, folder, name));
}

function rewriteImports(path) {
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replace(/(\bfrom |\bimport\()(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2'));
}
