// Loaded before anything else (`node --import`): plain JavaScript, so that an old Node can still read it
// and say what is missing instead of failing on the first TypeScript file.
const needed = 24;
if (Number(process.versions.node.split('.')[0]) < needed) {
  process.stderr.write(
    `chat-session-proxy needs Node ${needed} or newer; this is ${process.version} (${process.execPath}).\n` +
      'On Linux x64 `npm ci` installs it beside the project and `npm start` uses it; elsewhere install Node 24 first.\n',
  );
  process.exit(1);
}

// Compiled code is kept in the system's temporary folder from the second start on; where that is not possible nothing
// changes but the time it takes.
const { enableCompileCache } = await import('node:module');
enableCompileCache?.();

// As process 1 of a container Node passes over a signal that nobody listens to, and the service listens only when all of
// it is loaded: until then there is nothing to drain, so a signal simply ends the process.
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0));
