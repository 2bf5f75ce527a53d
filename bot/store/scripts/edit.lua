-- Replace, or with an empty new row drop, mail that no turn has taken yet.
-- KEYS: inbox open    ARGV: old new
local rows = redis.call('LRANGE', KEYS[1], 0, -1)
for i, row in ipairs(rows) do
  if row == ARGV[1] then
    if ARGV[2] == '' then
      redis.call('LREM', KEYS[1], 1, row)
      redis.call('DECR', KEYS[2])
    else
      redis.call('LSET', KEYS[1], i - 1, ARGV[2])
    end
    return 1
  elseif row == ARGV[2] then
    return 1
  end
end
return 0
