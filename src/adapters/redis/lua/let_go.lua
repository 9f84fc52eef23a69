-- let_go: take back a claim whose outcome is not known, and by which nobody has been asked: as if it had not been made.
-- KEYS[1] meta  KEYS[2] history  KEYS[3] events  KEYS[4] turns  KEYS[5] ledger  KEYS[6] newest  KEYS[7] idem  KEYS[8] queue
-- ARGV[1] turn id  ARGV[2] attempt
-- Returns {OK}

local meta = redis.call('HMGET', KEYS[1], 'turn', 'begun')
local has_begun = meta[1] == ARGV[1] and meta[2] == ARGV[2]
if not has_begun and not has_place(KEYS[4], KEYS[8], ARGV[1], ARGV[2]) then return {'OK'} end

if has_begun then
  redis.call('HDEL', KEYS[1], 'turn', 'lease', 'begun', 'seq', 'holder', 'cancel')
  redis.call('HDEL', KEYS[6], ARGV[1] .. '/question')
end
redis.call('ZREM', KEYS[5], ARGV[1])
leave_line(KEYS[4], KEYS[8], ARGV[1])
-- The same key is to find it free again.
local field = redis.call('HGET', KEYS[4], ARGV[1] .. '/idem')
if field then redis.call('HDEL', KEYS[7], field) end
redis.call('HDEL', KEYS[4], ARGV[1], ARGV[1] .. '/epoch', ARGV[1] .. '/idem')
ring(KEYS[1])
return {'OK'}
