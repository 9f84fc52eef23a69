-- spend: count one request of a caller, if it fits.
-- KEYS[1] the caller's requests (hash: step of time → how many were counted in it)
-- ARGV[1] how many may be counted  ARGV[2] length of a step, ms  ARGV[3] steps of the window
-- Returns {OK, how many more fit, ms until more do} | {OVER, 0, ms until one fits}

local ms = math.floor(now_us() / 1000)
local limit, length, steps = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = math.floor(ms / length)

local found, counts, used = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #found, 2 do
  local step, count = tonumber(found[i]), tonumber(found[i + 1])
  -- A step counts until all of it lies behind the window.
  if step < now - steps then
    redis.call('HDEL', KEYS[1], found[i])
  else
    counts[step] = count
    used = used + count
  end
end

local over = used - limit
if over < 0 then
  redis.call('HINCRBY', KEYS[1], digits(now), 1)
  expire((steps + 1) * length, KEYS[1])
  counts[now] = (counts[now] or 0) + 1
end

-- Until the oldest steps that have to go are gone.
local freed, wait = math.max(0, over), 0
for step = now - steps, now do
  if counts[step] then
    wait = (step + steps + 1) * length - ms
    freed = freed - counts[step]
    if freed < 0 then break end
  end
end
if over >= 0 then return {'OVER', 0, wait} end
return {'OK', -over - 1, wait}
