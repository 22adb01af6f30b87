#!/usr/bin/env node
/**
 * The command `odradek`. Usage errors end with 2, help and version with 0.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { version } from '../base/version.ts'
import { ExitCode } from './exit-codes.ts'
import { type DumpFlags, logDump, logRepair, logVerify, type RepairFlags, type VerifyFlags } from './log.ts'
import { serve } from './serve.ts'
import type { ServeFlags } from './serve-config.ts'

function portNumber(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) {
    throw new InvalidArgumentError('A port is an integer of 0 to 65535; 0 takes a free one.')
  }
  return Number(text)
}

function hostAddress(text: string): string {
  const host = text.trim().replace(/^\[(.*)\]$/, '$1')
  if (host === '') throw new InvalidArgumentError('It takes a name or an address; 0.0.0.0 or :: for all.')
  return host
}

function program(): Command {
  const odradek = new Command('odradek')
    .description('A broker that every Kafka client can talk to.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .showHelpAfterError('odradek --help lists the commands and flags.')
    .exitOverride()
  odradek
    .command('serve')
    .description('Start a broker and serve until Ctrl-C.')
    .option('--port <port>', 'port to listen on, 0 for a free one (default: 9092)', portNumber)
    .option('--host <address>', 'address to listen on, 0.0.0.0 or :: for all (default: 127.0.0.1)', hostAddress)
    .addOption(new Option('--dir <directory>', 'where the data lies (default: ./data)').conflicts('memory'))
    .option('--memory', 'keep the data in memory and forget it at the end')
    .addOption(
      new Option('--flush <mode>', 'what acks=all waits for: the disk (group) or the page cache (os)').choices([
        'group',
        'os',
      ]),
    )
    .option('-c, --set <key=value>', 'a broker config with its Kafka name; may be repeated', collect, [])
    .option('--config <file>', 'a server.properties file')
    .addHelpText(
      'after',
      '\nFlags win over KAFKA_ variables of the environment (KAFKA_NUM_PARTITIONS=3), and those over the file.\n' +
        'ODRADEK_LOG=debug|info|warn|error|silent and ODRADEK_LOG_FORMAT=pretty|json set the log on stderr.',
    )
    .exitOverride()
    .action(async (flags: ServeFlags) => {
      process.exitCode = await serve(flags)
    })
  addLog(odradek)
  return odradek
}

/** Subcommands that look into a directory while no broker runs. */
function addLog(odradek: Command): void {
  const log = odradek
    .command('log')
    .description('Look into log directories, partition folders or files, and mend them, while no broker runs.')
    .helpCommand(false)
    .exitOverride()
  const paths = 'a log directory, a partition folder, or files of one'
  log
    .command('dump')
    .description('Print the batches, index entries and checkpoints that the paths hold.')
    .argument('<path...>', paths)
    .option('--records', "also print the records, decoded in the topics that are Kafka's own")
    .option('--from <offset>', 'from this offset on', offset)
    .option('--to <offset>', 'up to this offset', offset)
    .option('--json', 'a JSON object a line')
    .exitOverride()
    .action((given: string[], flags: DumpFlags) => {
      process.exitCode = logDump(given, flags)
    })
  log
    .command('verify')
    .description('Say what is wrong with the paths; ends with 1 when anything is.')
    .argument('<path...>', paths)
    .option('--deep', 'also inflate every batch and walk its records')
    .option('--json', 'a JSON object a line')
    .exitOverride()
    .action((given: string[], flags: VerifyFlags) => {
      process.exitCode = logVerify(given, flags)
    })
  log
    .command('repair')
    .description('Say what would mend the paths. What is cut or replaced is kept beside under another name.')
    .argument('<path...>', paths)
    .option('--yes', 'do it')
    .option('--accept-loss', 'also where acknowledged records are damaged: those and all behind them are set aside')
    .option('--json', 'a JSON object a line')
    .exitOverride()
    .action((given: string[], flags: RepairFlags) => {
      process.exitCode = logRepair(given, flags)
    })
}

function offset(text: string): number {
  if (!/^\d{1,16}$/.test(text)) throw new InvalidArgumentError('An offset is an integer from 0 on.')
  return Number(text)
}

function collect(pair: string, before: readonly string[]): string[] {
  return [...before, pair]
}

async function main(): Promise<void> {
  try {
    await program().parseAsync(process.argv)
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    process.exitCode = error.exitCode === 0 ? ExitCode.done : ExitCode.usage
  }
}

main().catch((error: unknown) => {
  console.error(error)
  process.exitCode = ExitCode.failed
})
