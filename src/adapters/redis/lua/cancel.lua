-- cancel: ask the producer of a running turn to end it. Its next append or renewal tells it.
-- KEYS[1] meta  KEYS[2] turns
-- ARGV[1] turn id  ARGV[2] what of the answer to keep
-- Returns {ASKED, epoch, replica that produces it, what is kept} (the first to ask decides) | {OVER} | {NONE} | {GONE}

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'turn', 'holder', 'cancel')
if not meta[1] then return {'GONE'} end
if meta[2] ~= ARGV[1] then
  if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 then return {'OVER'} end
  return {'NONE'}
end
if not meta[4] then redis.call('HSET', KEYS[1], 'cancel', ARGV[2]) end
return {'ASKED', meta[1], meta[3], meta[4] or ARGV[2]}
