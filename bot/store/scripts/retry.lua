-- Make a given-up turn due again, once: the letter is the right to do so.
-- KEYS: dead due wake open inbox    ARGV: letter thread row
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('RPUSH', KEYS[5], ARGV[3])
redis.call('INCR', KEYS[4])
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[2])
  redis.call('RPUSH', KEYS[3], ARGV[2])
end
return 1
