import { runSeeds } from "./campaign-seeds.ts";

runSeeds("odd", 1);
