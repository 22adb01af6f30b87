#!/usr/bin/env node
/**
 * The command `odradek`. Usage errors end with 2, help and version with 0.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { version } from '../base/version.ts'
import { ExitCode } from './exit-codes.ts'
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
  return odradek
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
