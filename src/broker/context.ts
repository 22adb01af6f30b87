/**
 * What a request handler is given and what it may reach: the ports of the broker and the request's context. Types only.
 *
 * Invariants: a handler reaches the rest of the broker through `BrokerPorts` and nothing else; one request is answered
 * exactly once, by the value (or promise) that its handler returned or, when it returned undefined, by a call of
 * `answer`, `answerNothing` or `close`. The request object and its `RecordsRef`s are valid as long as the handler
 * likes; the raw bytes they came from are not reachable from here.
 */
import type { Logger } from '../base/logger.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { GroupService } from '../coordinator/group/service.ts'
import type { Host } from '../host/host.ts'
import type { PreparedAnswer } from '../log/log.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { Connection } from '../net/net.ts'
import type { Partition } from '../partition/partition.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import type { Deadlines } from './deadlines.ts'
import type { FetchSessions } from './fetch-session.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** The controller as a broker reaches it: the wire API, request and response objects as src/protocol defines them. */
export interface ControllerPort {
  handle(apiKey: number, version: number, request: object, context: ControllerRequestContext): Promise<object>
}

export interface ControllerRequestContext {
  /** Host clock, monotonic milliseconds: the operation is refused with REQUEST_TIMED_OUT when it starts later. */
  readonly deadlineMs?: number
  /** The listener's client, for the controller's log lines. */
  readonly clientId: string | null
}

/** The partitions that this broker holds. */
export interface ReplicaPort {
  /** undefined: this broker holds no replica of it. It may still be opening its log. */
  partition(topic: string, index: number): Partition | undefined
  /**
   * Resolves when every partition of `topic` that this broker leads takes produce requests; at once when the image has
   * no such topic or this broker leads none of it. Also resolves (the partition then answers with its own error) when a
   * log could not be opened.
   */
  whenReady(topic: string): Promise<void>
  /** Every configured log directory, and the partitions' logs that it holds. */
  logDirectories(): readonly LogDirectoryContent[]
  /** Lets the replica go to the directory at `path`. Resolves to Kafka's code when that has begun. */
  move(topic: string, index: number, path: string): Promise<KafkaErrorCode>
}

/** A log in a directory. */
export interface LogContent {
  readonly topic: string
  readonly index: number
  readonly bytes: number
  /** Records that a copy on its way to this directory lacks; undefined: it is no copy. */
  readonly futureLag?: number
}

export interface LogDirectoryContent {
  readonly path: string
  /** 0, or why nothing else is known of it. */
  readonly errorCode: KafkaErrorCode
  readonly logs: readonly LogContent[]
  /** Of the volume; -1 where it isn't known. */
  readonly totalBytes: number
  readonly usableBytes: number
}

/** Producer ids for idempotent producers, from blocks that the controller hands out. */
export interface ProducerIdPort {
  /** A new id (or Kafka's code, when the controller gave none). */
  next(): Promise<{ readonly errorCode: number; readonly producerId: bigint }>
}

/** Where groups are coordinated. */
export interface GroupCoordinatorPort {
  /** Makes sure that there is `__consumer_offsets`. Resolves to Kafka's code. */
  createTopic(clientId: string | null): Promise<KafkaErrorCode>
  /** Its partition that a group belongs to. */
  partitionFor(groupId: string): number
  /**
   * Resolves to the id of the broker that leads the partition, -1 when there is none; if it is this one, once the
   * groups are loaded, or when that takes too long; -1 at once when its log is offline.
   */
  whenReady(partition: number): Promise<number>
}

export interface BrokerPorts {
  readonly host: Host
  readonly logger: Logger
  readonly config: BrokerConfig
  readonly nodeId: number
  readonly clusterId: string
  readonly controller: ControllerPort
  readonly replicas: ReplicaPort
  readonly producerIds: ProducerIdPort
  readonly fetchSessions: FetchSessions
  readonly deadlines: Deadlines
  readonly groups: GroupService
  readonly groupCoordinators: GroupCoordinatorPort
  /** What ApiVersions answers: every handler of this broker, by API key. */
  readonly servedApis: readonly { readonly apiKey: number; readonly minVersion: number; readonly maxVersion: number }[]
  /** `kraft.version` of the quorum. */
  readonly kraftVersion: number
  /** The newest metadata that this broker has applied. */
  image(): MetadataImage
  /**
   * Where the client on `connection` reaches broker `nodeId` (advertised address rules); undefined: unknown or fenced.
   */
  endpointOf(nodeId: number, connection: Connection): Endpoint | undefined
}

export interface RequestContext {
  readonly broker: BrokerPorts
  readonly connection: Connection
  readonly apiKey: number
  readonly version: number
  readonly correlationId: number
  readonly clientId: string | null
  /** Native handle of the request's frame, for `BatchSource`; 0 when the frame was copied whole and freed. */
  readonly frame: number
  /** The request's bytes when it was copied whole: valid only during the synchronous part of `handle`. */
  readonly bytes: Uint8Array
  /** For handlers that returned undefined. The response object may carry records as `{ handle, from, length }`. */
  answer(response: object): void
  /** The request counts as answered and nothing is sent (acks=0). */
  answerNothing(): void
  /**
   * Writes an answer ahead, for an append to send, or its sync. Its one unknown is the offset of the batch: `response`
   * has `UNKNOWN_OFFSET` there and no handles. `answeredAhead` must follow when it has left, an answer when it has not;
   * one that comes before a sync is the only one.
   */
  prepare(response: object, untilSynced: boolean): PreparedAnswer
  /** What lies in the frame is needed after `handle` has returned: it stays until the returned function is called. */
  keepFrame(): () => void
  /** The prepared answer has left. */
  answeredAhead(): void
  /** Closes the connection instead of answering. */
  close(reason: string): void
  /** For a request that waits for news: `abandoned` is called if the connection ends before it is answered. */
  onAbandoned(abandoned: () => void): void
}

/**
 * One API. `handle` may answer at once, by promise, or (undefined) later through the context. A throw or rejection is
 * answered with UNKNOWN_SERVER_ERROR in the shape that the API's `failure` gives, and concerns this request alone.
 */
export interface Handler<Request = never> {
  readonly apiKey: number
  handle(context: RequestContext, request: Request): object | Promise<object> | undefined
  /** The whole-request answer for an error that the handler did not turn into a response by itself. */
  failure(request: Request, errorCode: number): object
}
