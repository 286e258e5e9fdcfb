// How the folder of a rig begins: `/tmp/ferrule-rig-Xy12Zz`. It is the gateway's working directory.

export const RIG_FOLDER = 'ferrule-rig-';
