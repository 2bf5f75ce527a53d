-- Take the thread that has been due longest, for one lease time; else tell how long until the next one is due.
-- KEYS: due wake    ARGV: lease_ms poll_ms
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not first[1] then return tonumber(ARGV[2]) end
local score = tonumber(first[2])
if score > now then return math.min(tonumber(ARGV[2]), score - now) end
local lease = now + tonumber(ARGV[1])
redis.call('ZADD', KEYS[1], lease, first[1])
redis.call('LREM', KEYS[2], 1, first[1])
return { first[1], string.format('%d', lease) }
