"""The paper's tables: grids of runs, their datasets, and the tables in the paper's form."""
