/**
 * Who waits for which answer of the engine. Used by `engine-commands.ts` alone.
 *
 * Invariants: a number names one waiter until it is answered, then another; each waiter is called exactly once. A
 * record of a kind that its ticket does not expect is a defect and throws.
 */
import { Code } from './engine-code.ts'
import type { AnswerRecord, Inbox } from './inbox.ts'
import * as layout from './layout.ts'
import type {
  AppendedRecord,
  CleanedRecord,
  DirtRecord,
  FileRecord,
  FoundRecord,
  MarksRecord,
  NamesRecord,
  OpenedLog,
  Outcome,
  ReadRecord,
} from './types.ts'

export type Ticket =
  | { form: 'opened'; done: (opened: OpenedLog) => void }
  | { form: 'appended'; done: (appended: AppendedRecord) => void }
  | { form: 'read'; done: (read: ReadRecord) => void }
  | { form: 'outcome'; done: (outcome: Outcome) => void }
  | { form: 'found'; done: (found: FoundRecord) => void }
  | { form: 'marks'; done: (marks: MarksRecord) => void }
  | { form: 'dirt'; done: (dirt: DirtRecord) => void }
  | { form: 'cleaned'; done: (cleaned: CleanedRecord) => void }
  | { form: 'file'; done: (file: FileRecord) => void }
  | { form: 'names'; done: (names: NamesRecord) => void }

/** What an ANSWER carries when it succeeded. */
const ANSWER_FORMS = {
  outcome: layout.ANSWER_NONE,
  found: layout.ANSWER_FOUND,
  marks: layout.ANSWER_MARKS,
  dirt: layout.ANSWER_DIRT,
  cleaned: layout.ANSWER_CLEANED,
  file: layout.ANSWER_FILE,
  names: layout.ANSWER_NAMES,
} as const

const NO_BYTES = new Uint8Array(0)

export class Tickets {
  readonly #open: (Ticket | undefined)[] = [undefined]
  readonly #free: number[] = []
  /** Copies a held content out and gives it back. */
  readonly #content: (handle: number, bytes: number) => Uint8Array

  constructor(content: (handle: number, bytes: number) => Uint8Array) {
    this.#content = content
  }

  open(ticket: Ticket): number {
    const free = this.#free.pop()
    if (free === undefined) return this.#open.push(ticket) - 1
    this.#open[free] = ticket
    return free
  }

  take(number: number): Ticket {
    const ticket = this.#open[number]
    if (ticket === undefined) throw new Error(`native answered ticket ${number}, which is not open`)
    this.#open[number] = undefined
    this.#free.push(number)
    return ticket
  }

  /** Hands the record at `at` to whoever waits for it. */
  answer(kind: number, inbox: Inbox, at: number): void {
    const ticket = this.take(inbox.ticket(at))
    switch (ticket.form) {
      case 'appended':
        if (kind === layout.APPENDED) return ticket.done(inbox.appended(at))
        break
      case 'read':
        if (kind === layout.READ_DONE) return ticket.done(inbox.read(at))
        break
      case 'opened':
        if (kind === layout.OPENED) return ticket.done(inbox.opened(at))
        break
      default:
        if (kind === layout.ANSWER) return this.#give(ticket, inbox.answer(at))
    }
    throw new Error(`native answered a ticket for ${ticket.form} by a record of kind ${kind}`)
  }

  #give(ticket: Exclude<Ticket, { form: 'appended' | 'read' | 'opened' }>, answer: AnswerRecord): void {
    const { code, text } = answer
    // A command may succeed with more to say than its caller wants to hear.
    if (code === Code.ok && ticket.form !== 'outcome' && answer.form !== ANSWER_FORMS[ticket.form]) {
      throw new Error(`native answered a ticket for ${ticket.form} in form ${answer.form}`)
    }
    switch (ticket.form) {
      case 'file':
        return ticket.done({ code, text, content: this.#contentOf(answer) })
      case 'names': {
        const names = new TextDecoder().decode(this.#contentOf(answer))
        return ticket.done({ code, text, names: names === '' ? [] : names.split('\0') })
      }
      default:
        return ticket.done(answer)
    }
  }

  #contentOf(answer: AnswerRecord): Uint8Array {
    return answer.handle === 0 ? NO_BYTES : this.#content(answer.handle, answer.handleBytes)
  }

  /** Nothing will be answered any more: every waiter hears this. */
  failAll(text: string): void {
    for (let number = 1; number < this.#open.length; number++) {
      if (this.#open[number] !== undefined) fail(this.take(number), text)
    }
  }
}

/** An append of which nothing is known but its outcome. */
function noAppend(code: number, text: string): AppendedRecord {
  return {
    code,
    text,
    base: -1,
    end: -1,
    logAppendTime: -1,
    logStart: -1,
    bytesEnd: 0,
    oldestOpenTransaction: -1,
    closedTransactionFirst: -1,
    duplicate: false,
    answered: false,
    recordErrors: [],
  }
}

/** A read of which nothing is known but its outcome. */
function noRead(code: number, text: string): ReadRecord {
  return {
    code,
    text,
    handle: 0,
    bytes: 0,
    bytesStart: 0,
    firstOffset: -1,
    logStart: -1,
    end: -1,
    divergingEpoch: -1,
    divergingEnd: -1,
    aborted: [],
  }
}

function fail(ticket: Ticket, text: string): void {
  const code = Code.directoryOffline
  switch (ticket.form) {
    case 'appended':
      return ticket.done(noAppend(code, text))
    case 'read':
      return ticket.done(noRead(code, text))
    case 'opened':
      return ticket.done({
        code,
        text,
        start: -1,
        end: -1,
        syncedEnd: -1,
        bytesEnd: 0,
        oldestOpenTransaction: -1,
        latestEpoch: -1,
        highWatermark: -1,
        created: false,
        cutBytes: 0,
        cutRecords: 0,
        recoveredSegments: 0,
        topicId: undefined,
      })
    case 'found':
      return ticket.done({ code, text, offset: -1, timestamp: -1n, epoch: -1 })
    case 'marks':
      return ticket.done({ code, text, start: -1, end: -1, syncedEnd: -1 })
    case 'dirt':
      return ticket.done({ code, text, cleanBytes: 0, dirtyBytes: 0, overdueMs: 0 })
    case 'cleaned':
      return ticket.done({ code, text, cleanedTo: -1, readBytes: 0, writtenBytes: 0, keylessRecords: 0 })
    case 'file':
      return ticket.done({ code, text, content: NO_BYTES })
    case 'names':
      return ticket.done({ code, text, names: [] })
    default:
      return ticket.done({ code, text })
  }
}
