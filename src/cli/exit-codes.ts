/** What the command ends with. */
export const ExitCode = {
  done: 0,
  /** An error that nothing here foresaw. */
  failed: 1,
  /** `log verify` and `log repair`: something is wrong there. */
  findings: 1,
  /** Wrong usage or configuration, port in use, directory locked. */
  usage: 2,
  /** Storage failed while serving. */
  storage: 5,
  /** A second Ctrl-C. */
  interrupted: 130,
} as const
