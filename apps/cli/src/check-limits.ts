/** What the modules of custom checks may have on a host, for whoever runs them and whoever lets them be run. */

/** The most a baseline can give a module. */
export const MAX_CHECK_MEMORY_BYTES = 128 * 1024 * 1024;
