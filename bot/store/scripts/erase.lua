-- Replace one row of the record by an empty one; its index never moves.
-- KEYS: turns    ARGV: index old new
local row = redis.call('LINDEX', KEYS[1], ARGV[1])
if row == ARGV[2] then
  redis.call('LSET', KEYS[1], ARGV[1], ARGV[3])
  return 1
end
return row == ARGV[3] and 1 or 0
