import { runSeeds } from "./campaign-seeds.ts";

runSeeds("even", 2);
