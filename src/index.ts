/** The package `odradek`: a broker in this process, and its log engine. */
export { OdradekError } from './base/errors.ts'
export type { Logger } from './base/logger.ts'
export { ClosedError, ConfigError, StorageError } from './embed/errors.ts'
export {
  type AppendOptions,
  type Log,
  type LogOptions,
  type OffsetSpec,
  openLog,
  type RecordsOptions,
} from './embed/open-log.ts'
export type { Bytes, LogRecord, RecordHeaders } from './embed/record.ts'
export { type Broker, type BrokerOptions, startBroker } from './embed/start-broker.ts'
