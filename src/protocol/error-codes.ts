/**
 * Kafka's error codes, -1 to 133: number, name, whether a client may simply try again, and one line of ours
 * that says what happened.
 *
 * Invariants: numbers, names and retriability are Kafka 4.3's (a test compares them); the texts are ours,
 * and are what an answer's errorMessage says when nothing more exact is known. A failure travels as its
 * number, never as an exception.
 */

/** An error code as it stands on the wire. Rooms below the broker may use numbers outside -1..133 among themselves. */
export type KafkaErrorCode = number

const table = {
  UNKNOWN_SERVER_ERROR: [-1, false, 'Something failed in the broker that the protocol has no code for.'],
  NONE: [0, false, 'No error.'],
  OFFSET_OUT_OF_RANGE: [1, false, 'The log does not hold that offset: it lies before its start or after its end.'],
  CORRUPT_MESSAGE: [2, true, 'The record batch is damaged: checksum, size or structure is wrong.'],
  UNKNOWN_TOPIC_OR_PARTITION: [3, true, 'This broker has no such topic or partition.'],
  INVALID_FETCH_SIZE: [4, false, 'The fetch asks for an impossible number of bytes.'],
  LEADER_NOT_AVAILABLE: [5, true, 'The partition has no leader at the moment.'],
  NOT_LEADER_OR_FOLLOWER: [6, true, 'This broker does not lead the partition, or holds no replica of it.'],
  REQUEST_TIMED_OUT: [7, true, 'The time that the request allowed ran out.'],
  BROKER_NOT_AVAILABLE: [8, false, 'The broker cannot be reached.'],
  REPLICA_NOT_AVAILABLE: [9, true, 'The replica exists but cannot serve now.'],
  MESSAGE_TOO_LARGE: [10, false, 'A record batch is larger than the topic or the broker accepts.'],
  STALE_CONTROLLER_EPOCH: [11, false, 'The request carries the epoch of a former controller.'],
  OFFSET_METADATA_TOO_LARGE: [12, false, 'The text stored with a committed offset is too long.'],
  NETWORK_EXCEPTION: [13, true, 'The connection ended before the answer came.'],
  COORDINATOR_LOAD_IN_PROGRESS: [14, true, 'The coordinator is still reading its state.'],
  COORDINATOR_NOT_AVAILABLE: [15, true, 'No coordinator is available.'],
  NOT_COORDINATOR: [16, true, 'Another broker coordinates this group or transaction.'],
  INVALID_TOPIC_EXCEPTION: [17, false, 'The topic name is not allowed, or the topic may not be used this way.'],
  RECORD_LIST_TOO_LARGE: [18, false, 'A record batch is larger than a log segment.'],
  NOT_ENOUGH_REPLICAS: [19, true, 'Fewer replicas are in sync than the topic requires, so nothing was written.'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, true, 'Written, but to fewer in-sync replicas than the topic requires.'],
  INVALID_REQUIRED_ACKS: [21, false, 'acks must be 0, 1 or -1.'],
  ILLEGAL_GENERATION: [22, false, 'The generation is not the present one of the group.'],
  INCONSISTENT_GROUP_PROTOCOL: [23, false, 'The member offers no protocol that the group can use.'],
  INVALID_GROUP_ID: [24, false, 'The group id is not allowed.'],
  UNKNOWN_MEMBER_ID: [25, false, 'The group has no such member.'],
  INVALID_SESSION_TIMEOUT: [26, false, 'The session timeout lies outside the range that the broker allows.'],
  REBALANCE_IN_PROGRESS: [27, false, 'The group is rebalancing; the member has to join again.'],
  INVALID_COMMIT_OFFSET_SIZE: [28, false, 'The offsets to commit are too large to store.'],
  TOPIC_AUTHORIZATION_FAILED: [29, false, 'Not authorized for the topic.'],
  GROUP_AUTHORIZATION_FAILED: [30, false, 'Not authorized for the group.'],
  CLUSTER_AUTHORIZATION_FAILED: [31, false, 'Not authorized for the cluster.'],
  INVALID_TIMESTAMP: [32, false, 'A record timestamp lies outside the range that the topic accepts.'],
  UNSUPPORTED_SASL_MECHANISM: [33, false, 'The broker does not offer this SASL mechanism.'],
  ILLEGAL_SASL_STATE: [34, false, 'The request does not fit the state of the SASL exchange.'],
  UNSUPPORTED_VERSION: [35, false, 'This version of the API is not served.'],
  TOPIC_ALREADY_EXISTS: [36, false, 'A topic of this name exists.'],
  INVALID_PARTITIONS: [37, false, 'The number of partitions is not allowed.'],
  INVALID_REPLICATION_FACTOR: [38, false, 'The replication factor is below 1 or above the number of usable brokers.'],
  INVALID_REPLICA_ASSIGNMENT: [39, false, 'The replica assignment is not allowed.'],
  INVALID_CONFIG: [40, false, 'A configuration value is not allowed.'],
  NOT_CONTROLLER: [41, true, 'This node is not the active controller.'],
  INVALID_REQUEST: [42, false, 'The request contradicts itself or the protocol.'],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, false, "The topic's message format does not support the request."],
  POLICY_VIOLATION: [44, false, 'A policy of this cluster forbids it.'],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, false, 'The sequence number does not follow the last one of this producer.'],
  DUPLICATE_SEQUENCE_NUMBER: [46, false, 'The sequence number was already written.'],
  INVALID_PRODUCER_EPOCH: [47, false, 'The producer epoch is older than the present one.'],
  INVALID_TXN_STATE: [48, false, 'The transaction is not in a state that allows this.'],
  INVALID_PRODUCER_ID_MAPPING: [49, false, 'The producer id does not belong to the transactional id.'],
  INVALID_TRANSACTION_TIMEOUT: [50, false, 'The transaction timeout is longer than the broker allows.'],
  CONCURRENT_TRANSACTIONS: [51, true, 'Another operation on the same transaction is in progress.'],
  TRANSACTION_COORDINATOR_FENCED: [52, false, 'The marker comes from a former transaction coordinator.'],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, false, 'Not authorized for the transactional id.'],
  SECURITY_DISABLED: [54, false, 'No authorizer is configured.'],
  OPERATION_NOT_ATTEMPTED: [55, false, 'Not tried, because another part of the same request failed.'],
  KAFKA_STORAGE_ERROR: [56, true, 'The disk, or the log directory on it, failed or is full.'],
  LOG_DIR_NOT_FOUND: [57, false, 'The broker has no such log directory.'],
  SASL_AUTHENTICATION_FAILED: [58, false, 'SASL authentication failed.'],
  UNKNOWN_PRODUCER_ID: [59, false, 'The broker knows nothing of this producer id any more.'],
  REASSIGNMENT_IN_PROGRESS: [60, false, 'The partition is being reassigned.'],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, false, 'Delegation tokens are not enabled.'],
  DELEGATION_TOKEN_NOT_FOUND: [62, false, 'There is no such delegation token.'],
  DELEGATION_TOKEN_OWNER_MISMATCH: [63, false, 'Only the owner or a renewer of the token may do this.'],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [
    64,
    false,
    'Delegation tokens cannot be handled over this kind of connection.',
  ],
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: [65, false, 'Not authorized for the delegation token.'],
  DELEGATION_TOKEN_EXPIRED: [66, false, 'The delegation token has expired.'],
  INVALID_PRINCIPAL_TYPE: [67, false, 'Principals of this type are not supported.'],
  NON_EMPTY_GROUP: [68, false, 'The group still has members.'],
  GROUP_ID_NOT_FOUND: [69, false, 'There is no such group.'],
  FETCH_SESSION_ID_NOT_FOUND: [70, true, 'There is no such fetch session (any more).'],
  INVALID_FETCH_SESSION_EPOCH: [71, true, 'The epoch is not the next one of the fetch session.'],
  LISTENER_NOT_FOUND: [72, true, 'The leader has no listener of the name on which the request came in.'],
  TOPIC_DELETION_DISABLED: [73, false, 'Deleting topics is switched off (delete.topic.enable).'],
  FENCED_LEADER_EPOCH: [74, true, 'The leader epoch in the request is older than the present one.'],
  UNKNOWN_LEADER_EPOCH: [75, true, 'The leader epoch in the request is newer than this broker knows of.'],
  UNSUPPORTED_COMPRESSION_TYPE: [76, false, 'The codec cannot be used with this version of the API or topic.'],
  STALE_BROKER_EPOCH: [77, false, 'The broker epoch is not that of the present registration.'],
  OFFSET_NOT_AVAILABLE: [78, true, 'A new leader cannot name the high watermark yet.'],
  MEMBER_ID_REQUIRED: [79, false, 'The member has to join again with the member id in this answer.'],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, true, 'The preferred leader cannot lead now.'],
  GROUP_MAX_SIZE_REACHED: [81, false, 'The group has as many members as the broker allows.'],
  FENCED_INSTANCE_ID: [82, false, 'Another member uses the same group.instance.id.'],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, true, 'No replica that may lead is alive.'],
  ELECTION_NOT_NEEDED: [84, true, 'The partition has the leader it should have.'],
  NO_REASSIGNMENT_IN_PROGRESS: [85, false, 'The partition is not being reassigned.'],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, false, 'The group is subscribed to the topic, so its offsets cannot be deleted.'],
  INVALID_RECORD: [87, false, 'A record failed validation.'],
  UNSTABLE_OFFSET_COMMIT: [88, true, 'A transaction that commits these offsets is still open.'],
  THROTTLING_QUOTA_EXCEEDED: [89, true, 'The quota is used up.'],
  PRODUCER_FENCED: [90, false, 'A newer producer uses the same transactional id.'],
  RESOURCE_NOT_FOUND: [91, false, 'There is no such resource.'],
  DUPLICATE_RESOURCE: [92, false, 'The request names the same resource twice.'],
  UNACCEPTABLE_CREDENTIAL: [93, false, 'The credential does not meet the requirements.'],
  INCONSISTENT_VOTER_SET: [94, false, 'Sender or receiver is not one of the expected voters.'],
  INVALID_UPDATE_VERSION: [95, false, 'The feature cannot be set to this version.'],
  FEATURE_UPDATE_FAILED: [96, false, 'The features could not be updated.'],
  PRINCIPAL_DESERIALIZATION_FAILURE: [97, false, 'The principal of a forwarded request cannot be read.'],
  SNAPSHOT_NOT_FOUND: [98, false, 'There is no such snapshot.'],
  POSITION_OUT_OF_RANGE: [99, false, 'The position lies outside the snapshot.'],
  UNKNOWN_TOPIC_ID: [100, true, 'This broker has no topic of this id.'],
  DUPLICATE_BROKER_REGISTRATION: [101, false, 'A live broker is registered under this id.'],
  BROKER_ID_NOT_REGISTERED: [102, false, 'No broker is registered under this id.'],
  INCONSISTENT_TOPIC_ID: [103, true, "The topic id is not that of the partition's log."],
  INCONSISTENT_CLUSTER_ID: [104, false, 'The request is meant for another cluster.'],
  TRANSACTIONAL_ID_NOT_FOUND: [105, false, 'There is no such transactional id.'],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, true, 'The fetch session mixes topic names and topic ids.'],
  INELIGIBLE_REPLICA: [107, false, 'A replica of the proposed ISR may not be in it.'],
  NEW_LEADER_ELECTED: [108, false, 'The partition was changed, and another broker leads it now.'],
  OFFSET_MOVED_TO_TIERED_STORAGE: [109, false, 'The offset is only in tiered storage.'],
  FENCED_MEMBER_EPOCH: [
    110,
    false,
    'The member epoch is fenced; the member has to give up its partitions and join again.',
  ],
  UNRELEASED_INSTANCE_ID: [111, false, 'Another member still holds the instance id.'],
  UNSUPPORTED_ASSIGNOR: [112, false, 'The group does not support the assignor, or not this version of it.'],
  STALE_MEMBER_EPOCH: [113, false, 'The member epoch is out of date; it comes with the next heartbeat.'],
  MISMATCHED_ENDPOINT_TYPE: [114, false, 'The request came to an endpoint of the other kind (broker or controller).'],
  UNSUPPORTED_ENDPOINT_TYPE: [115, false, 'Endpoints of this kind are not supported.'],
  UNKNOWN_CONTROLLER_ID: [116, false, 'There is no controller of this id.'],
  UNKNOWN_SUBSCRIPTION_ID: [117, false, 'The telemetry subscription id is wrong or out of date.'],
  TELEMETRY_TOO_LARGE: [118, false, 'The telemetry is larger than the broker accepts.'],
  INVALID_REGISTRATION: [119, false, 'The controller does not accept the registration.'],
  TRANSACTION_ABORTABLE: [120, false, 'The transaction failed; after aborting it the producer can go on.'],
  INVALID_RECORD_STATE: [121, false, 'The record is not in a state that can be acknowledged so.'],
  SHARE_SESSION_NOT_FOUND: [122, true, 'There is no such share session.'],
  INVALID_SHARE_SESSION_EPOCH: [123, true, 'The epoch is not the next one of the share session.'],
  FENCED_STATE_EPOCH: [124, false, 'The share group state has another epoch.'],
  INVALID_VOTER_KEY: [125, false, "The voter key is not the receiving replica's."],
  DUPLICATE_VOTER: [126, false, 'The voter is in the set already.'],
  VOTER_NOT_FOUND: [127, false, 'The voter is not in the set.'],
  INVALID_REGULAR_EXPRESSION: [128, false, 'The regular expression cannot be used.'],
  REBOOTSTRAP_REQUIRED: [129, false, 'The client should start again from its bootstrap servers.'],
  STREAMS_INVALID_TOPOLOGY: [130, false, 'The topology is not valid.'],
  STREAMS_INVALID_TOPOLOGY_EPOCH: [131, false, 'The topology epoch is not valid.'],
  STREAMS_TOPOLOGY_FENCED: [132, false, 'The topology epoch is out of date.'],
  SHARE_SESSION_LIMIT_REACHED: [133, true, 'There are as many share sessions as the broker allows.'],
} as const satisfies Record<string, readonly [number, boolean, string]>

/** Kafka's name of an error, as clients and tools print it. */
export type ErrorName = keyof typeof table

export interface ErrorDescription {
  readonly code: KafkaErrorCode
  readonly name: ErrorName
  /** A client that repeats the request later may succeed. */
  readonly retriable: boolean
  /** One line for people. */
  readonly text: string
}

/** `ErrorCode.UNKNOWN_TOPIC_OR_PARTITION` is 3. */
export const ErrorCode = Object.freeze(
  Object.fromEntries(Object.entries(table).map(([name, [code]]) => [name, code])),
) as { readonly [Name in ErrorName]: (typeof table)[Name][0] }

const descriptions = new Map<number, ErrorDescription>(
  Object.entries(table).map(([name, [code, retriable, text]]) => [
    code,
    Object.freeze({ code, name: name as ErrorName, retriable, text }),
  ]),
)

const unknown = descriptions.get(-1) as ErrorDescription

/** What a code means. A number that is none of Kafka's is described as UNKNOWN_SERVER_ERROR. */
export function describeError(code: KafkaErrorCode): ErrorDescription {
  return descriptions.get(code) ?? unknown
}
