module botmatrix

go 1.21
