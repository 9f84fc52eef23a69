-- rewind: drop the newest messages, atomically. Their turns stay in the ledger, marked.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] attempt  ARGV[2] version it was made from  ARGV[3] messages that stay  ARGV[4] bytes of those that go
-- ARGV[5] turn that owns the last two messages then, or empty  ARGV[6..] turns whose messages go
-- Returns {OK} (also for a resend of the same attempt) | {BUSY, turn id} | {MOVED, version} | {GONE}

local meta = redis.call('HMGET', KEYS[1], 'version', 'changes', 'turn', 'ttl')
if not meta[1] then return {'GONE'} end
if is_made(meta[2], ARGV[1]) then return {'OK'} end
if meta[3] then return {'BUSY', meta[3]} end
if meta[1] ~= ARGV[2] then return {'MOVED', meta[1]} end

redis.call('HSET', KEYS[1], 'changes', made(meta[2], ARGV[1]), 'count', ARGV[3], 'calls', '',
  'utime', digits(math.floor(now_us() / 1000)))
redis.call('HINCRBY', KEYS[1], 'bytes', 0 - ARGV[4])
redis.call('HINCRBY', KEYS[1], 'version', 1)
if ARGV[5] == '' then redis.call('HDEL', KEYS[1], 'latest') else redis.call('HSET', KEYS[1], 'latest', ARGV[5]) end
if ARGV[3] == '0' then redis.call('UNLINK', KEYS[2]) else redis.call('LTRIM', KEYS[2], 0, ARGV[3] - 1) end
-- All candidates of what was the latest turn go; the question of the newest one that did not commit can still be asked.
for _, field in ipairs(redis.call('HKEYS', KEYS[6])) do
  if not string.find(field, '/question$') then redis.call('HDEL', KEYS[6], field) end
end
for i = 6, #ARGV do
  if redis.call('HEXISTS', KEYS[4], ARGV[i]) == 1 then redis.call('HSET', KEYS[4], ARGV[i] .. '/superseded', 1) end
end
slide(meta[4], KEYS)
return {'OK'}
