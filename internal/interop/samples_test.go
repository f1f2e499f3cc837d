package interop_test

import (
	"os/exec"
	"testing"

	"github.com/hyperledger/fabric-contract-api-go/v2/contractapi"

	"github.com/ccpeer/ccpeer/chaincodetest"
	"github.com/ccpeer/ccpeer/chaincodetest/fabricshim"
	"github.com/ccpeer/ccpeer/internal/interop/samples/basic"
	"github.com/ccpeer/ccpeer/internal/interop/samples/token"
)

// deployContract deploys a contract on Fabric's contract API in this process.
func deployContract(t *testing.T, name string, contract contractapi.ContractInterface, options ...chaincodetest.Option) *chaincodetest.Net {
	t.Helper()
	cc, err := contractapi.NewChaincode(contract)
	if err != nil {
		t.Fatal(err)
	}
	net := chaincodetest.New(t, options...)
	net.Deploy(name, fabricshim.Chaincode(cc))
	return net
}

func TestSampleBasic(t *testing.T) {
	net := deployContract(t, "basic", new(basic.Contract))
	alice := net.As("alice@Org1MSP")
	alice.Submit("basic", "InitLedger").OK()
	asset4 := basic.Asset{ID: "asset4", Color: "yellow", Size: 7, Owner: "Max", Value: 600}
	alice.Submit("basic", "CreateAsset", "asset4", "yellow", 7, "Max", 600).OK().Writes("asset4", asset4)
	alice.Submit("basic", "CreateAsset", "asset4", "yellow", 7, "Max", 600).Fails("the asset asset4 already exists")
	alice.Evaluate("basic", "ReadAsset", "asset4").Returns(asset4)
	alice.Evaluate("basic", "ReadAsset", "asset9").Fails("the asset asset9 does not exist")
	alice.Evaluate("basic", "AssetExists", "asset9").Returns(false)
	alice.Submit("basic", "TransferAsset", "asset4", "Adriana").Returns("Max")
	net.State("basic", "asset4").Is(chaincodetest.Fields{"Owner": "Adriana", "Size": 7})
	alice.Submit("basic", "DeleteAsset", "asset4").OK().Deletes("asset4")
	var all []basic.Asset
	alice.Evaluate("basic", "GetAllAssets").Into(&all)
	if len(all) != 3 || all[2].Owner != "Jin Soo" {
		t.Errorf("all assets are %v", all)
	}
	toA, toB := alice.Simulate("basic", "TransferAsset", "asset1", "a"), alice.Simulate("basic", "TransferAsset", "asset1", "b")
	net.Commit(toA, toB)
	toA.OK()
	toB.Fails("MVCC_READ_CONFLICT")
}

func TestSampleToken(t *testing.T) {
	net := deployContract(t, "token", new(token.Contract), chaincodetest.WithOrganizations("Org1MSP", "Org2MSP"))
	minter, bob := net.As("minter@Org1MSP"), net.As("bob@Org2MSP")
	minter.Submit("token", "Mint", 5000).Event("Transfer", token.Transferred{From: "0x0", To: minter.ID(), Value: 5000})
	bob.Submit("token", "Mint", 5000).Fails("client is not authorized")
	minter.Submit("token", "Mint", 0).Fails("amount must be a positive integer")
	minter.Submit("token", "Transfer", bob.ID(), 100).OK().Writes(bob.ID(), 100).Writes(minter.ID(), 4900)
	bob.Evaluate("token", "BalanceOf", bob.ID()).Returns(100)
	bob.Evaluate("token", "ClientAccountID").Returns(bob.ID())
	minter.Submit("token", "Transfer", minter.ID(), 100).Fails("same client account")
	bob.Submit("token", "Transfer", minter.ID(), 101).Fails("has insufficient funds")
	bob.Submit("token", "TransferFrom", minter.ID(), bob.ID(), 10).Fails("does not have enough allowance")
	minter.Submit("token", "Approve", bob.ID(), 50).Writes(chaincodetest.CompositeKey("allowance", minter.ID(), bob.ID()), 50)
	bob.Submit("token", "TransferFrom", minter.ID(), bob.ID(), 10).OK()
	net.Of("Org2MSP").State("token", chaincodetest.CompositeKey("allowance", minter.ID(), bob.ID())).Is(40)
	minter.Submit("token", "Burn", 1000).OK()
	minter.Evaluate("token", "TotalSupply").Returns(4000)
	net.Explore(chaincodetest.Exploration{
		Steps: 30,
		Calls: []chaincodetest.Call{{
			As: []*chaincodetest.Client{minter, bob}, Chaincode: "token", Function: "Transfer",
			Args: []chaincodetest.Arg{chaincodetest.OneOf(minter.ID(), bob.ID()), chaincodetest.Between(-1, 5000)},
		}},
		Invariants: map[string]func(*chaincodetest.Net) error{"supply": func(*chaincodetest.Net) error {
			minter.Evaluate("token", "TotalSupply").Returns(4000)
			return nil
		}},
	})
}

// The chaincode asks on which organization's peer it runs, so it must be a process.
func TestSamplePrivateData(t *testing.T) {
	net := chaincodetest.New(t, chaincodetest.WithOrganizations("Org1MSP", "Org2MSP"))
	net.Deploy("private", chaincodetest.GoPackage("samples/agreement"), chaincodetest.Collections("samples/agreement/collections_config.json"),
		chaincodetest.Endorsement("OR('Org1MSP.peer', 'Org2MSP.peer')"))
	seller, buyer := net.As("seller@Org1MSP"), net.As("buyer@Org2MSP")
	seller.Transient("value", 100).Submit("private", "CreateAsset", "asset1").OK().WritesPrivate("Org1MSPPrivateCollection", "asset1", 100)
	net.Of("Org2MSP").Private("private", "assetCollection", "asset1").Is(chaincodetest.Fields{"owner": seller.ID()})
	net.Of("Org2MSP").Private("private", "Org1MSPPrivateCollection", "asset1").Absent()
	net.Of("Org1MSP").Private("private", "Org1MSPPrivateCollection", "asset1").Is(100)
	buyer.Evaluate("private", "ReadAsset", "asset1").Returns(chaincodetest.Fields{"owner": seller.ID()})
	buyer.Evaluate("private", "ReadValue", "asset1").Returns("")

	buyer.Transient("value", 99).Submit("private", "AgreeToTransfer", "asset1").OK()
	sell := seller.Transient("buyer", "Org2MSP")
	sell.Submit("private", "TransferAsset", "asset1").Fails("does not value for seller")
	buyer.Transient("value", 100).Submit("private", "AgreeToTransfer", "asset1").OK()
	sell.Submit("private", "TransferAsset", "asset1").OK().WritesPrivate("assetCollection", "asset1", chaincodetest.Fields{"owner": "Org2MSP"})
	net.Of("Org1MSP").Private("private", "Org1MSPPrivateCollection", "asset1").Absent()
	buyer.Evaluate("private", "ReadValue", "asset1").Returns(100)
}

// deployTypeScript compiles the contract in TypeScript, and deploys it as a process of Node.
func deployTypeScript(t *testing.T) *chaincodetest.Net {
	t.Helper()
	const dir = "samples/typescript"
	if err := installOnce(command(t, "npm"), dir); err != nil {
		t.Fatal(err)
	}
	tsc := exec.CommandContext(t.Context(), command(t, "node"), "node_modules/typescript/bin/tsc")
	tsc.Dir = dir
	if out, err := tsc.CombinedOutput(); err != nil {
		t.Fatalf("tsc: %v\n%s", err, out)
	}
	net := chaincodetest.New(t)
	net.Deploy("basic", chaincodetest.Command{
		Path: dir + "/node_modules/.bin/fabric-chaincode-node", Args: []string{"start", "--peer.address", "{{.PeerAddress}}"}, Dir: dir,
	})
	return net
}

func TestSampleTypeScript(t *testing.T) {
	net := deployTypeScript(t)
	alice := net.As("alice@Org1MSP")
	want := basic.Asset{ID: "asset4", Color: "yellow", Size: 7, Owner: "Max", Value: 600}
	alice.Submit("basic", "CreateAsset", "asset4", "yellow", 7, "Max", 600).OK().Writes("asset4", want)
	alice.Submit("basic", "CreateAsset", "asset4", "yellow", 7, "Max", 600).Fails("The asset asset4 already exists")
	alice.Evaluate("basic", "ReadAsset", "asset4").Returns(want)
	alice.Evaluate("basic", "ReadAsset", "asset9").Fails("The asset asset9 does not exist")
	alice.Evaluate("basic", "AssetExists", "asset9").Returns(false)
	alice.Submit("basic", "TransferAsset", "asset4", "Adriana").Returns("Max")
	net.State("basic", "asset4").Is(chaincodetest.Fields{"Owner": "Adriana"})
	alice.Submit("basic", "DeleteAsset", "asset4").OK().Deletes("asset4")
	net.State("basic", "asset4").Absent()
}
