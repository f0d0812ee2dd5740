/** What lab hosts allow beyond the default policy: two commands to try the sandbox with. */
import { DEFAULT_AGENT_POLICY } from '@holdfast/policy';

const COMMANDS = `
[[commands]]
name = "exec.checksum"
path = "/usr/bin/sha256sum"
argv = ["--", "{file}"]
[commands.params.file]
type = "path"
prefix = "/"

[[commands]]                       # shows the walls: what is not in the view does not exist
name = "exec.look"
path = "/usr/bin/ls"
argv = ["-la", "--", "{at}"]
[commands.params.at]
type = "path"
prefix = "/"

[[rules]]
name = "try-the-sandbox"
principals = ["root"]
operations = ["exec.checksum", "exec.look"]
effect = "allow"
`;

export const LAB_POLICY = `${DEFAULT_AGENT_POLICY}${COMMANDS}`;
