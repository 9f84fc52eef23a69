-- changes: put before `update`, `rewind`, `choose` and `import` by scripts.ts. The newest changes of a session that are no
-- turns are known by their attempts, in the field `changes` of its meta hash: a resend is recognized although others came in
-- between, and not made once more.

local KEPT = 16

local function is_made(changes, attempt)
  return changes and string.find(' ' .. changes .. ' ', ' ' .. attempt .. ' ', 1, true) ~= nil
end

local function made(changes, attempt)
  local kept = {attempt}
  for known in string.gmatch(changes or '', '%S+') do
    if #kept < KEPT then kept[#kept + 1] = known end
  end
  return table.concat(kept, ' ')
end

-- A change is activity: the lifetime starts anew. While no turn runs.
local function slide(ttl, keys)
  for i, key in ipairs(keys) do
    if i ~= 3 then expire(tonumber(ttl), key) end
  end
  local events = keys[3]
  if redis.call('PTTL', events) > tonumber(ttl) then expire(tonumber(ttl), events) end
end
