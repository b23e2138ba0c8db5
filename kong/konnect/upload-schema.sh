#!/bin/sh
# Tells a Konnect control plane the fields of ping-auth, so that the plugin can be configured there. The plugin itself runs
# on your data planes: give every one of them the plugin server (kong/Dockerfile, kong/kong.conf).
#   KONNECT_REGION=eu KONNECT_TOKEN=kpat_… CONTROL_PLANE_ID=… sh kong/konnect/upload-schema.sh
# Needs curl and jq. Run it again with UPDATE=1 after an update of the plugin.
set -eu
: "${KONNECT_REGION:?e.g. us, eu, au}" "${KONNECT_TOKEN:?a personal or system access token}" "${CONTROL_PLANE_ID:?its id}"

schema="$(dirname "$0")/../schema.lua"
url="https://${KONNECT_REGION}.api.konghq.com/v2/control-planes/${CONTROL_PLANE_ID}/core-entities/plugin-schemas"
method=POST
if [ -n "${UPDATE:-}" ]; then
  method=PUT
  url="${url}/ping-auth"
fi

jq --null-input --rawfile schema "$schema" '{lua_schema: $schema}' |
  curl --fail-with-body --silent --show-error --request "$method" "$url" \
    --header "Authorization: Bearer ${KONNECT_TOKEN}" \
    --header 'Content-Type: application/json' \
    --data-binary @-
