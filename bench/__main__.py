"""`python -m bench`, and `accelerate launch -m bench run`, which starts it several times."""

from bench.cli import main

if __name__ == "__main__":
    main()
