// Loaded into a process of the service before anything else (`--import`): its clock is wrong by CLOCK_WRONG_MS.

const wrongMs = Number(process.env.CLOCK_WRONG_MS);
const { now } = Date;
Date.now = () => now() + wrongMs;
