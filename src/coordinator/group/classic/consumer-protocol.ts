/**
 * Reads and writes the subscriptions and assignments of consumers: bytes that a classic group carries without looking,
 * except to learn its topics and when it changes to or from a consumer group.
 *
 * Invariants: the bytes come from clients; whatever is wrong with them is a ProtocolError.
 */
import { decodeMessage, encodeMessage } from '../../../protocol/messages.ts'
import { ProtocolError } from '../../../protocol/protocol-error.ts'
import type {
  ConsumerProtocolAssignment,
  ConsumerProtocolAssignmentInput,
  ConsumerProtocolSubscription,
  ConsumerProtocolSubscriptionInput,
} from '../../../protocol/records/consumer-protocol.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../../protocol/records/consumer-protocol.ts'

/** Protocol type of groups whose members are consumers. */
export const CONSUMER_PROTOCOL_TYPE = 'consumer'

const LATEST = 3

/** The version that the bytes claim; may be one that is unknown here. @throws ProtocolError without room for one. */
export function consumerProtocolVersion(bytes: Uint8Array): number {
  if (bytes.length < 2) throw new ProtocolError('a message of the consumer protocol without a version')
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt16(0)
}

/** @throws ProtocolError */
export function decodeSubscription(bytes: Uint8Array): ConsumerProtocolSubscription {
  return decodeMessage(consumerProtocolSubscription, known(consumerProtocolVersion(bytes)), bytes.subarray(2))
}

/** Topics of a subscription of whatever version, since all begin alike. @throws ProtocolError */
export function decodeSubscribedTopics(bytes: Uint8Array): readonly string[] {
  consumerProtocolVersion(bytes)
  return decodeMessage(consumerProtocolSubscription, 0, bytes.subarray(2)).topics
}

/** In `version`, or the latest known. @throws ProtocolError when `version` is negative. */
export function encodeSubscription(version: number, subscription: ConsumerProtocolSubscriptionInput): Uint8Array {
  return versioned(known(version), encodeMessage(consumerProtocolSubscription, known(version), subscription))
}

/** @throws ProtocolError */
export function decodeAssignment(bytes: Uint8Array): ConsumerProtocolAssignment {
  return decodeMessage(consumerProtocolAssignment, known(consumerProtocolVersion(bytes)), bytes.subarray(2))
}

/** In `version`, or the latest known. @throws ProtocolError when `version` is negative. */
export function encodeAssignment(version: number, assignment: ConsumerProtocolAssignmentInput): Uint8Array {
  return versioned(known(version), encodeMessage(consumerProtocolAssignment, known(version), assignment))
}

function known(version: number): number {
  if (version < 0) throw new ProtocolError(`no version ${version} of the consumer protocol`)
  return Math.min(version, LATEST)
}

function versioned(version: number, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + message.length)
  new DataView(bytes.buffer).setInt16(0, version)
  bytes.set(message, 2)
  return bytes
}
