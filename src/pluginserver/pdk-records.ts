import type { RecordType } from './records.js';

/** Messages of Kong's PDK that are more than one value. Field numbers as in kong.proto. */

const KEY: RecordType = { fields: [[1, 'id', 'text']] };

export const ROUTE: RecordType = {
  fields: [
    [1, 'id', 'text'],
    [2, 'created_at', 'integer'],
    [3, 'updated_at', 'integer'],
    [4, 'name', 'text'],
    [5, 'protocols', 'texts'],
    [6, 'methods', 'texts'],
    [7, 'hosts', 'texts'],
    [8, 'paths', 'texts'],
    [9, 'headers', 'texts'],
    [10, 'https_redirect_status_code', 'integer'],
    [11, 'regex_priority', 'integer'],
    [12, 'strip_path', 'bool'],
    [13, 'preserve_host', 'bool'],
    [14, 'snis', 'texts'],
    [15, 'sources', 'texts'],
    [16, 'destinations', 'texts'],
    [17, 'tags', 'texts'],
    [18, 'service', KEY],
  ],
};

export const SERVICE: RecordType = {
  fields: [
    [1, 'id', 'text'],
    [2, 'created_at', 'integer'],
    [3, 'updated_at', 'integer'],
    [4, 'name', 'text'],
    [5, 'retries', 'integer'],
    [6, 'protocol', 'text'],
    [7, 'host', 'text'],
    [8, 'port', 'integer'],
    [9, 'path', 'text'],
    [10, 'connect_timeout', 'integer'],
    [11, 'write_timeout', 'integer'],
    [12, 'read_timeout', 'integer'],
    [13, 'tags', 'texts'],
    [14, 'client_certificate', KEY],
  ],
};

export const CONSUMER: RecordType = {
  fields: [
    [1, 'id', 'text'],
    [2, 'created_at', 'integer'],
    [3, 'username', 'text'],
    [4, 'custom_id', 'text'],
    [5, 'tags', 'texts'],
  ],
};

export const CREDENTIAL: RecordType = {
  fields: [
    [1, 'id', 'text'],
    [2, 'consumer_id', 'text'],
  ],
};

export const CONSUMER_SPEC: RecordType = {
  fields: [
    [1, 'id', 'text'],
    [2, 'by_username', 'bool'],
  ],
};

export const AUTHENTICATE_ARGS: RecordType = {
  fields: [
    [1, 'consumer', CONSUMER],
    [2, 'credential', CREDENTIAL],
  ],
};

export const TARGET: RecordType = {
  fields: [
    [1, 'host', 'text'],
    [2, 'port', 'integer'],
  ],
};

export const URI_CAPTURES: RecordType = {
  fields: [
    [1, 'unnamed', 'texts'],
    [2, 'named', 'textMap'],
  ],
};
