from rs_seg_dask.cli import main

if __name__ == "__main__":
    main()
