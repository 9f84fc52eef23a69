-- usage: put before `finish` and `count` by scripts.ts. What turns have used, in a hash: `tokens:<kind>` of all of them,
-- `tokens:<state>:<kind>` of those that ended in one state, and how many those are in `turns:<state>`. Zeros are not kept.

-- To be the first that a script writes: a sum that overflows is refused, and what was written before an error stays. A
-- state's sums never overflow before those of all states.
local function add_usage(key, state, tokens)
  for _, sums in ipairs({'tokens:', 'tokens:' .. state .. ':'}) do
    for i, kind in ipairs({'prompt', 'output', 'thought', 'cached', 'total'}) do
      if tokens[i] ~= '0' then redis.call('HINCRBY', key, sums .. kind, tokens[i]) end
    end
  end
  redis.call('HINCRBY', key, 'turns:' .. state, 1)
end
