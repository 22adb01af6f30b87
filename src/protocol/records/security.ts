/** Metadata records about access control, SCRAM credentials and delegation tokens. */
import type { Message, MessageInput } from '../schema.ts'
import { array, bytes, int8, int32, int64, message, string, uuid } from '../schema.ts'

/** An access control entry exists. */
export const accessControlEntryRecord = message(
  'AccessControlEntryRecord',
  { apiKey: 18, versions: '0', flexible: '0+' },
  {
    id: uuid('0+'),
    resourceType: int8('0+'),
    resourceName: string('0+'),
    patternType: int8('0+'),
    principal: string('0+'),
    host: string('0+'),
    operation: int8('0+'),
    permissionType: int8('0+'),
  },
)
export type AccessControlEntryRecord = Message<typeof accessControlEntryRecord>
export type AccessControlEntryRecordInput = MessageInput<typeof accessControlEntryRecord>

/** An access control entry is gone. */
export const removeAccessControlEntryRecord = message(
  'RemoveAccessControlEntryRecord',
  { apiKey: 19, versions: '0', flexible: '0+' },
  {
    id: uuid('0+'),
  },
)
export type RemoveAccessControlEntryRecord = Message<typeof removeAccessControlEntryRecord>
export type RemoveAccessControlEntryRecordInput = MessageInput<typeof removeAccessControlEntryRecord>

/** The SCRAM credential of a user. */
export const userScramCredentialRecord = message(
  'UserScramCredentialRecord',
  { apiKey: 11, versions: '0', flexible: '0+' },
  {
    name: string('0+'),
    /** 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. */
    mechanism: int8('0+'),
    salt: bytes('0+'),
    storedKey: bytes('0+'),
    serverKey: bytes('0+'),
    iterations: int32('0+'),
  },
)
export type UserScramCredentialRecord = Message<typeof userScramCredentialRecord>
export type UserScramCredentialRecordInput = MessageInput<typeof userScramCredentialRecord>

/** A SCRAM credential is gone. */
export const removeUserScramCredentialRecord = message(
  'RemoveUserScramCredentialRecord',
  { apiKey: 22, versions: '0', flexible: '0+' },
  {
    name: string('0+'),
    /** 1 SCRAM-SHA-256, 2 SCRAM-SHA-512. */
    mechanism: int8('0+'),
  },
)
export type RemoveUserScramCredentialRecord = Message<typeof removeUserScramCredentialRecord>
export type RemoveUserScramCredentialRecordInput = MessageInput<typeof removeUserScramCredentialRecord>

/** A delegation token exists. */
export const delegationTokenRecord = message(
  'DelegationTokenRecord',
  { apiKey: 10, versions: '0', flexible: '0+' },
  {
    owner: string('0+'),
    requester: string('0+'),
    renewers: array('0+', 'string'),
    issueTimestamp: int64('0+'),
    maxTimestamp: int64('0+'),
    expirationTimestamp: int64('0+'),
    tokenId: string('0+'),
  },
)
export type DelegationTokenRecord = Message<typeof delegationTokenRecord>
export type DelegationTokenRecordInput = MessageInput<typeof delegationTokenRecord>

/** A delegation token is gone. */
export const removeDelegationTokenRecord = message(
  'RemoveDelegationTokenRecord',
  { apiKey: 26, versions: '0', flexible: '0+' },
  {
    tokenId: string('0+'),
  },
)
export type RemoveDelegationTokenRecord = Message<typeof removeDelegationTokenRecord>
export type RemoveDelegationTokenRecordInput = MessageInput<typeof removeDelegationTokenRecord>
