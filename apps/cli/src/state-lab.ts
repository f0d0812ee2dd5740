/**
 * The lab that belongs to a state directory. Its id follows from the directory, so that a control
 * plane knows by which address lab hosts will reach it before there is a lab.
 */
import { createHash } from 'node:crypto';
import { hasCode } from '@holdfast/core';
import { createLab, type Lab, type LabKind, openLab } from '@holdfast/lab';
import { REPOSITORY } from './repository.ts';
import { labDirectory } from './server-state.ts';

export interface StateLabOptions {
  readonly hosts: number;
  readonly kind: LabKind;
}

const idOf = (directory: string): string => createHash('sha256').update(directory).digest('hex').slice(0, 8);

/** Whether a lab may be in this state directory, before anything is started there. @throws `ERR_LAB_INPUT` */
export function requireLabDirectory(stateDirectory: string): void {
  plan(stateDirectory, { hosts: 1, kind: 'simulated' });
}

/** A lab that is not up yet; one that was left in this state directory is gone when this resolves. */
export async function newStateLab(stateDirectory: string, options: StateLabOptions): Promise<Lab> {
  await openStateLab(stateDirectory)?.down(); // before the new one chooses its network
  return plan(stateDirectory, options);
}

/** The lab that is there, or `undefined`. */
function openStateLab(stateDirectory: string): Lab | undefined {
  try {
    return openLab(labDirectory(stateDirectory));
  } catch (error) {
    // A damaged record is replaced: `up` removes what is left under the id of this directory.
    if (hasCode(error, 'ERR_LAB_NOT_FOUND') || hasCode(error, 'ERR_LAB_RECORD_INVALID')) return undefined;
    throw error;
  }
}

/** Where hosts of this state directory's lab, up or yet to be built, reach this machine; `undefined` where no lab can be. */
export function labGateway(stateDirectory: string): string | undefined {
  try {
    return (openStateLab(stateDirectory) ?? plan(stateDirectory, { hosts: 1, kind: 'linux' })).gatewayAddress;
  } catch (error) {
    if (hasCode(error, 'ERR_LAB_INPUT')) return undefined;
    throw error;
  }
}

function plan(stateDirectory: string, { hosts, kind }: StateLabOptions): Lab {
  const directory = labDirectory(stateDirectory);
  return createLab({ id: idOf(directory), directory, hosts, repositoryRoot: REPOSITORY, kind });
}
