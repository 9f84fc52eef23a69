// Small, deliberate defects of the service. A run of chaos has to see each of them, or its “no violations” is worth nothing.

export interface Patch {
  /** Below the root of the project. */
  readonly file: string;
  /** Stands there once. */
  readonly from: string;
  readonly to: string;
}

export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** Options of the run that brings it to light: the disturbances that matter, and no more. */
  readonly options: readonly string[];
}

function lua(name: string, from: string, to = ''): Patch {
  return { file: `src/adapters/redis/lua/${name}.lua`, from, to };
}

function chat(name: string, from: string, to: string): Patch {
  return { file: `src/chat/${name}.ts`, from, to };
}

function faults(...parts: readonly string[]): readonly string[] {
  return ['--faults', parts.length === 0 ? 'none' : parts.join()];
}

/** Much shorter gaps between two disturbances. */
const OFTEN = ['--gaps', '0.1'];
/** So that most sessions have one turn at a time, and nobody rings for another's. */
const MANY_SESSIONS = ['--sessions', '40'];

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'finish forgets resends',
    patches: [lua('finish', "if ended and ended ~= 'reaped' then return {'OK', ended} end")],
    options: faults('reply of finish lost'),
  },
  {
    // The order of the log and the id that it follows would refuse most of what is late, too.
    name: 'finish does not fence',
    patches: [
      lua('finish', "if meta[1] ~= epoch or meta[2] ~= id then return {'FENCED'} end"),
      lua('finish', 'if meta[3] ~= ARGV[3] then', 'if meta[3] and meta[3] ~= ARGV[3] then'),
      lua('finish', "redis.call('XADD', KEYS[3]", "redis.pcall('XADD', KEYS[3]"),
    ],
    options: [...faults('beyond its lease'), '--set', 'LEASE_MS=2000'],
  },
  {
    name: 'finish takes half a turn',
    patches: [lua('finish', "'RPUSH', KEYS[2], ARGV[20], ARGV[21]", "'RPUSH', KEYS[2], ARGV[20]")],
    options: faults(),
  },
  {
    // Each makes good what the other leaves out, so it takes both.
    name: 'a batch of events is lost on the way',
    patches: [
      lua('append', 'if meta[3] ~= ARGV[2] then', 'if false then'),
      chat('flusher', '    } catch {\n', '    } catch {\n      this.#flushedSeq = batch.lastSeq;\n'),
    ],
    options: [...faults('network to redis: cut'), ...OFTEN, '--sessions', '8', '--clients', '28'],
  },
  {
    name: 'begin ignores a running turn',
    patches: [lua('begin', 'if turn or (head and head ~= ARGV[1]) then', 'if head and head ~= ARGV[1] then')],
    options: faults(),
  },
  {
    name: 'begin forgets resends',
    patches: [
      lua(
        'begin',
        "if turn and meta[5] == ARGV[2] then return {'OK', epoch, version, digits(ms), meta[9], count, last_seen(KEYS[2], count)} end",
      ),
    ],
    options: faults('reply of begin lost'),
  },
  {
    name: 'create forgets resends',
    patches: [lua('create', "if created[1] == ARGV[1] then return {'OK'} end")],
    options: [...faults('reply of create lost'), ...MANY_SESSIONS, '--messages', '1'],
  },
  {
    // Whoever looks judges by its own clock first, the store by its own has the last word.
    name: 'a turn is reaped whose producer is alive',
    patches: [
      lua('reap', ' or tonumber(meta[3]) > ms then', ' then'),
      chat(
        'chat-session',
        'if (!running || running.leaseUntilMs > this.#deps.clock.now()) return',
        'if (!running) return',
      ),
    ],
    options: faults(),
  },
  {
    name: 'the idempotency key is not recorded',
    patches: [
      lua(
        'line',
        "redis.call('HSET', idem, named.key, named.fingerprint .. ' ' .. digits(named.expires) .. ' ' .. id)",
      ),
    ],
    options: faults(),
  },
  {
    name: 'the end is told before the store has it',
    patches: [
      chat(
        'running-turn',
        'void this.#finish(effect.ending);',
        'void this.#finish(effect.ending);\n        this.#conclude(effect.ending, undefined);',
      ),
    ],
    options: faults('reply of finish'),
  },
  {
    name: 'viewers never look without a ring',
    patches: [
      chat(
        'followed-log',
        'this.hasEnded ? undefined : this.#deps.clock.after(ms, () => void this.#look());',
        'undefined;',
      ),
      {
        file: 'src/adapters/redis/doorbells.ts',
        from: "client.ssubscribe(channel).then(() => this.#ring(channel, 'step'), this.#rules.onError);",
        to: 'client.ssubscribe(channel).catch(this.#rules.onError);',
      },
    ],
    options: [...faults('network to redis: cut', 'network to redis: reset'), ...MANY_SESSIONS],
  },
  {
    name: 'a replay begins one event early',
    patches: [chat('view-turn', 'return cursor.seq;', 'return cursor.seq - 1;')],
    options: faults(),
  },
  {
    name: 'a replay begins one event late',
    patches: [chat('view-turn', 'return cursor.seq;', 'return cursor.seq + 1;')],
    options: faults(),
  },
  {
    name: 'who follows a session again sees events twice',
    patches: [chat('session-log', 'if (epoch === this.#cursor.epoch && seq <= this.#cursor.seq) return;', '')],
    options: faults(),
  },
  {
    name: 'cancel answers before the turn has settled',
    patches: [
      chat('cancel-turn', '    await settled(log, deps);', '    void settled(log, deps);'),
      chat('cancel-turn', '    await settled(own.log, deps);', '    void settled(own.log, deps);'),
    ],
    // The end of a turn waits for its append, which has to be sent again.
    options: [...faults('reply of append lost'), ...OFTEN],
  },
  {
    name: 'a partial answer is told and not kept',
    patches: [
      chat(
        'finish-turn',
        '...(messages ? { messages: [',
        "...(messages && ending.state === 'COMMITTED' ? { messages: [",
      ),
    ],
    options: faults(),
  },
  {
    name: 'the last in line is first',
    patches: [lua('line', "redis.call('ZADD', queue, last + 1, id)", "redis.call('ZADD', queue, -now_us(), id)")],
    options: faults(),
  },
  {
    name: 'a place in line is never let go',
    patches: [lua('line', "  redis.call('ZREM', queue, id)\n")],
    options: faults(),
  },
  {
    name: 'a watch is never left',
    patches: [
      {
        file: 'src/adapters/redis/doorbells.ts',
        from: 'if (bell.rings.delete(own) && bell.rings.size === 0) this.#forget(channel, bell);',
        to: 'bell.rings.delete(own);',
      },
    ],
    options: faults(),
  },
  {
    name: 'idempotency keys live for ever',
    patches: [
      lua(
        'prelude',
        "redis.call('PEXPIRE', key, digits(ms))",
        "if not key:find(':idem$') then redis.call('PEXPIRE', key, digits(ms)) end",
      ),
    ],
    options: faults(),
  },
  {
    name: 'delete leaves the log behind',
    patches: [
      lua('delete', "redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3],", "redis.call('UNLINK', KEYS[1], KEYS[2],"),
    ],
    options: faults(),
  },
];
