-- What waits in a partition: due threads, for how long, accepted mail, dead letters.
-- KEYS: due open dead
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local waits = first[2] and math.max(0, now - tonumber(first[2])) or 0
return { redis.call('ZCOUNT', KEYS[1], '-inf', now), waits, tonumber(redis.call('GET', KEYS[2]) or '0'),
  redis.call('LLEN', KEYS[3]) }
