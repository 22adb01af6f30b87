/** The package `odradek`: a broker in this process, and its log engine. */
// Whoever imports the types needs no lib setting and no types of Node for AsyncDisposable.
/// <reference lib="esnext.disposable" preserve="true" />
export { OdradekError } from './base/errors.ts'
export type { Logger } from './base/logger.ts'
export { ClosedError, ConfigError, ReadOnlyError, StorageError, TimeoutError } from './embed/errors.ts'
export type { Cursor, Log } from './embed/log.ts'
export type { AppendOptions, LogOptions, OffsetSpec, RecordsOptions, Wait } from './embed/log-options.ts'
export { openLog } from './embed/open-log.ts'
export type { Bytes, LogRecord, RecordHeaders } from './embed/record.ts'
export { type Broker, type BrokerOptions, startBroker } from './embed/start-broker.ts'
