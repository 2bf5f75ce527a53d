#!/bin/sh
# Makes the secrets that compose.yaml mounts, in deploy/secrets/ (or the folder that is named): random ones for the parts
# that talk to each other, empty files for what only you know. What is there is left as it is.
set -eu
folder=${1:-"$(dirname "$0")/secrets"}
# The files are readable by all, because a container reads them as a user of its own; the folder keeps others out.
umask 022
mkdir -p "$folder"
chmod 700 "$folder"

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
# No line break at the end: whoever takes a file for a variable would take it along.
keep() { [ -e "$folder/$1" ] || { printf '%s' "$2" >"$folder/$1.new" && mv "$folder/$1.new" "$folder/$1"; }; }

keep redis_password "$(random)"
keep postgres_password "$(random)"
keep frontdesk_secret_key "$(random)"
keep web_token "$(random)"
redis=$(cat "$folder/redis_password")
postgres=$(cat "$folder/postgres_password")
keep redis.conf "requirepass $redis"
keep redis_url "redis://:$redis@redis:6379/0"
keep database_url "postgresql://frontdesk:$postgres@postgres:5432/frontdesk"

empty=
for name in openai_api_key slack_bot_token slack_app_token slack_signing_secret slack_client_secret discord_bot_token; do
    keep "$name" ""
    [ -s "$folder/$name" ] || empty="$empty $name"
done
[ -z "$empty" ] || echo "Empty in $folder (write into them what you have):$empty"
