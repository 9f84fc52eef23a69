-- append: add a batch of frames to the log of the running turn.
-- KEYS[1] meta  KEYS[2] events
-- ARGV[1] epoch  ARGV[2] seq it follows  ARGV[3] seq of its last event  ARGV[4] frames (opaque bytes)  ARGV[5] log ttl ms
-- Returns {OK, what to keep if it is to be cancelled, or nothing, how many watch} (also for a resend, without that number) | {GAP, last seq} | {FENCED} | {GONE}

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'turn', 'seq', 'born', 'cancel')
if not meta[1] or tonumber(ARGV[1]) <= tonumber(meta[4]) then return {'GONE'} end
if meta[1] ~= ARGV[1] or not meta[2] then return {'FENCED'} end
if meta[3] ~= ARGV[2] then
  if tonumber(meta[3]) >= tonumber(ARGV[3]) then return {'OK', meta[5]} end
  return {'GAP', meta[3]}
end

redis.call('XADD', KEYS[2], ARGV[1] .. '-' .. ARGV[3], 'after', ARGV[2], 'frames', ARGV[4])
redis.call('HSET', KEYS[1], 'seq', ARGV[3])
expire(math.min(tonumber(ARGV[5]), redis.call('PTTL', KEYS[1])), KEYS[2])
return {'OK', meta[5], ring(KEYS[1], 'frames')}
