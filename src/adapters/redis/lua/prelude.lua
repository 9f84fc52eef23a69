-- prelude: put before every script by scripts.ts. Time is Redis' own, so that replicas with other clocks agree.

local function now_us()
  local t = redis.call('TIME')
  return t[1] * 1000000 + t[2]
end

-- Numbers beyond 2^31 in full: tostring() would write 1.79e+15.
local function digits(n) return string.format('%.0f', n) end

-- A session's keys live and die together; its log (events) lives minutes, and never longer than the session.
local function expire(ms, ...)
  for _, key in ipairs({...}) do redis.call('PEXPIRE', key, digits(ms)) end
end

-- Tells whoever watches the session, on the channel that is named like its meta key. Never fails: while a slot moves, its
-- new master refuses the channel, but the step itself has been taken; a lost ring is made good by looking now and then.
-- `news` is 'frames' for what nobody needs to know who does not read the log.
-- Returns how many have heard it.
local function ring(meta, news) return tonumber(redis.pcall('SPUBLISH', meta, news or '')) or 0 end

-- Of the newest turns, what can still be asked for: the question of one that did not commit, all candidates of `latest`.
local function keep_newest(newest, id, latest)
  for _, field in ipairs(redis.call('HKEYS', newest)) do
    if field ~= id .. '/question' and field ~= latest then redis.call('HDEL', newest, field) end
  end
end

-- The ledger within its limits: the oldest turns go, but for those that have not ended, and the one that just has, however
-- large it is.
local function trim_ledger(keys, ended, turns_max, bytes_max)
  local meta, turns, ledger, newest, idem = keys[1], keys[4], keys[5], keys[6], keys[7]
  local bytes, count, passed = tonumber(redis.call('HGET', meta, 'turnbytes')), redis.call('ZCARD', ledger), 0
  while passed < count and (count > tonumber(turns_max) or bytes > tonumber(bytes_max)) do
    local oldest = redis.call('ZRANGE', ledger, passed, passed)[1]
    if oldest == ended or redis.call('HEXISTS', turns, oldest .. '/end') == 0 then
      passed = passed + 1
    else
      bytes = bytes - redis.call('HSTRLEN', turns, oldest)
      local field = redis.call('HGET', turns, oldest .. '/idem')
      if field then redis.call('HDEL', idem, field) end
      redis.call('HDEL', turns, oldest, oldest .. '/end', oldest .. '/epoch', oldest .. '/idem', oldest .. '/superseded')
      redis.call('ZREM', ledger, oldest)
      -- Its id is free: what is kept of it must not be taken for another turn's.
      redis.call('HDEL', newest, oldest, oldest .. '/question')
      if redis.call('HGET', meta, 'latest') == oldest then redis.call('HDEL', meta, 'latest') end
      count = count - 1
    end
  end
  redis.call('HSET', meta, 'turnbytes', digits(bytes))
end

-- By which a reader knows that the history he has read is the one that a turn sees: the last message of it. No other one is the
-- same, and one that was removed never comes back.
local function last_seen(history, count)
  local last = count > 0 and redis.call('LINDEX', history, count - 1)
  return last and redis.sha1hex(last) or ''
end

-- What an idempotency key stands for: nil when it is new, else whether the fingerprint is the same, and the turn.
local function recall(key, field, fingerprint, ms)
  local kept = field ~= '' and redis.call('HGET', key, field)
  if not kept then return nil end
  local known, expires, id = string.match(kept, '^(%S+) (%d+) (%S+)$')
  if tonumber(expires) <= ms then return nil end
  return known == fingerprint, id
end
